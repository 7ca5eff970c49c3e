package nodeapi

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// logOptions are the options of kubectl logs (PodLogOptions in the API).
type logOptions struct {
	follow, previous, timestamps bool
	tail, limit                  int64     // lines from the end, and bytes to show; negative means all
	since                        time.Time // skip older lines
	stream                       string    // "stdout", "stderr", or empty for both
}

// parseLogOptions parses the query, which the API server has validated.
func parseLogOptions(query url.Values, now time.Time) (logOptions, error) {
	var o logOptions
	var problem error
	number := func(key string) int64 {
		text := query.Get(key)
		n, err := strconv.ParseInt(cmp.Or(text, "-1"), 10, 64)
		if err != nil || n < 0 && text != "" {
			problem = fmt.Errorf("%s: %q is not a non-negative number", key, text)
		}
		return n
	}
	flag := func(key string) bool {
		set, err := strconv.ParseBool(cmp.Or(query.Get(key), "false"))
		if err != nil {
			problem = fmt.Errorf("%s: %q is not true or false", key, query.Get(key))
		}
		return set
	}
	o.follow, o.previous, o.timestamps = flag("follow"), flag("previous"), flag("timestamps")
	o.tail, o.limit = number("tailLines"), number("limitBytes")
	if seconds := number("sinceSeconds"); seconds >= 0 {
		o.since = now.Add(-time.Duration(seconds) * time.Second)
	}
	if text := query.Get("sinceTime"); text != "" {
		since, err := time.Parse(time.RFC3339, text)
		if err != nil {
			problem = fmt.Errorf("sinceTime: %w", err)
		}
		o.since = since
	}
	switch stream := query.Get("stream"); stream {
	case "", corev1.LogStreamAll:
	case corev1.LogStreamStdout:
		o.stream = "stdout"
	case corev1.LogStreamStderr:
		o.stream = "stderr"
	default:
		problem = fmt.Errorf("invalid stream type %q", stream)
	}
	return o, problem
}

// logs serves kubectl logs. Errors have status 400, because the API server drops the text of a 404.
func (a *api) logs(w http.ResponseWriter, r *http.Request) {
	options, err := parseLogOptions(r.URL.Query(), time.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	path, ended, err := a.node.Log(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"), options.previous)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	log, err := openLog(path, options)
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("open log of container %q in pod %q: %v", r.PathValue("container"), r.PathValue("pod"), err))
		return
	}
	defer log.close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	// It is too late to report an error; the client sees an incomplete response.
	_ = log.copy(r.Context(), w, http.NewResponseController(w).Flush, ended)
}

const (
	// poll is the interval of checks for new output. inotify(7) limits the instances of each user.
	poll = 100 * time.Millisecond
	// printed is the time format of `kubectl logs --timestamps`, with a fixed width.
	printed = "2006-01-02T15:04:05.000000000Z07:00"
)

// logFile reads a container's log. Its lines are "time stream P|F text", with P for a partial line
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
type logFile struct {
	logOptions
	path   string
	file   *os.File
	reader *bufio.Reader
	rest   []byte // an incomplete line
	inside bool   // the last line shown was partial
}

// openLog opens a log and seeks to the first line to show. A missing file counts as empty.
func openLog(path string, options logOptions) (*logFile, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.Open(os.DevNull)
	}
	if err != nil {
		return nil, err
	}
	l := &logFile{logOptions: options, path: path, file: file}
	if options.tail >= 0 {
		start, err := tailStart(file, options.tail)
		if err == nil {
			_, err = file.Seek(start, io.SeekStart)
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	l.reader = bufio.NewReaderSize(file, 64<<10)
	return l, nil
}

func (l *logFile) close() { _ = l.file.Close() }

func tailStart(file *os.File, lines int64) (int64, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	block := make([]byte, 64<<10)
	// Start at -1, because the last line break does not start a new line.
	for seen := int64(-1); end > 0; {
		size := min(end, int64(len(block)))
		end -= size
		if _, err := file.ReadAt(block[:size], end); err != nil {
			return 0, err
		}
		for rest := block[:size]; ; {
			i := bytes.LastIndexByte(rest, '\n')
			if i < 0 {
				break
			}
			if seen++; seen == lines {
				return end + int64(i) + 1, nil
			}
			rest = rest[:i]
		}
	}
	return 0, nil
}

// copy writes the log once, or with follow until ended closes or ctx ends. It flushes each batch.
func (l *logFile) copy(ctx context.Context, w io.Writer, flush func() error, ended <-chan struct{}) error {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		last := !l.follow
		select {
		case <-ended: // check before reading, so that no output is missed
			last = true
		default:
		}
		if err := l.copyFiles(ctx, w); err != nil {
			return err
		}
		if last && len(l.rest) > 0 {
			if err := l.show(w, l.rest); err != nil {
				return err
			}
		}
		if err := flush(); err != nil {
			return err
		}
		if last || l.limit == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
		case <-ticker.C:
		}
	}
}

// copyFiles copies the log. With follow, it continues with a new file at the same path, for example
// after a rotation.
func (l *logFile) copyFiles(ctx context.Context, w io.Writer) error {
	for {
		if err := l.copyLines(ctx, w); err != nil || !l.follow {
			return err
		}
		next := l.successor()
		if next == nil {
			return nil
		}
		// Copy the rest of the old file before switching to the next one.
		err := l.copyLines(ctx, w)
		l.close()
		l.file, l.rest = next, nil
		l.reader.Reset(next)
		if err != nil {
			return err
		}
	}
}

// successor opens the file at the log's path. It returns nil if that is still the current file.
func (l *logFile) successor() *os.File {
	there, err := os.Stat(l.path)
	if err != nil {
		return nil
	}
	here, err := l.file.Stat()
	if err != nil || os.SameFile(here, there) {
		return nil
	}
	next, err := os.Open(l.path)
	if err != nil {
		return nil // retry at the next poll
	}
	return next
}

func (l *logFile) copyLines(ctx context.Context, w io.Writer) error {
	for l.limit != 0 && ctx.Err() == nil {
		part, err := l.reader.ReadBytes('\n')
		l.rest = append(l.rest, part...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.show(w, l.rest); err != nil {
			return err
		}
		l.rest = l.rest[:0]
	}
	return nil
}

// show writes a line if it is selected, up to the byte limit. It skips invalid lines.
func (l *logFile) show(w io.Writer, line []byte) error {
	stamp, line, _ := bytes.Cut(line, []byte(" "))
	stream, line, _ := bytes.Cut(line, []byte(" "))
	tag, text, ok := bytes.Cut(line, []byte(" "))
	when, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil || !ok || when.Before(l.since) || (l.stream != "" && l.stream != string(stream)) {
		return nil
	}
	if l.timestamps && !l.inside {
		if err := l.write(w, []byte(when.Format(printed)+" ")); err != nil {
			return err
		}
	}
	l.inside = bytes.HasPrefix(tag, []byte("P"))
	if l.inside {
		text = bytes.TrimSuffix(text, []byte("\n"))
	}
	return l.write(w, text)
}

func (l *logFile) write(w io.Writer, text []byte) error {
	if l.limit >= 0 {
		text = text[:min(int64(len(text)), l.limit)]
		l.limit -= int64(len(text))
	}
	_, err := w.Write(text)
	return err
}
