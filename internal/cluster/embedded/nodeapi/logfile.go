package nodeapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// poll is how often a followed file is looked at. Watching it with inotify(7) would be quicker by half of that, and would
	// use up the few instances a user may have.
	poll = 100 * time.Millisecond
	// printed is the form of times before lines; all are equally long.
	printed = "2006-01-02T15:04:05.000000000Z07:00"
)

// logFile is a container's log that is being read. Its lines are "time stream P|F text", P for a part of a longer line
// (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md).
type logFile struct {
	logOptions
	path   string
	file   *os.File
	reader *bufio.Reader
	// rest is the beginning of a line whose end is not written yet.
	rest []byte
	// inside says that the last line shown was a part.
	inside bool
}

// openLog opens a log at the first line to show. No file is an empty log: the container has written nothing yet.
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

// tailStart returns where the last lines begin.
func tailStart(file *os.File, lines int64) (int64, error) {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	block := make([]byte, 64<<10)
	// The end of the last line is not the beginning of another.
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

// copy writes what is to be shown, and with follow goes on until ended is closed or ctx ends. flush is called after each
// batch.
func (l *logFile) copy(ctx context.Context, w io.Writer, flush func() error, ended <-chan struct{}) error {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		last := !l.follow
		select {
		case <-ended: // before reading: what is there now is all
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

// copyFiles is copyLines, and with follow goes on to the file that has taken the place of the one that was read: that is
// what happens to a log that has become too long, and to one that was not there yet.
func (l *logFile) copyFiles(ctx context.Context, w io.Writer) error {
	for {
		if err := l.copyLines(ctx, w); err != nil || !l.follow {
			return err
		}
		next := l.successor()
		if next == nil {
			return nil
		}
		// Something may have been written between the end of the reading and the change of files.
		err := l.copyLines(ctx, w)
		l.close()
		l.file, l.rest = next, nil
		l.reader.Reset(next)
		if err != nil {
			return err
		}
	}
}

// successor opens the file that is at the log's path if it is another one than is being read.
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
		return nil // next time
	}
	return next
}

// copyLines shows every complete line that is there.
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

// show writes a line if it is wanted, as much of it as the limit allows. What is no line of a log is left out.
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
