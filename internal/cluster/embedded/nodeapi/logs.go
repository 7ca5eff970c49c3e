package nodeapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// logOptions is what kubectl logs may ask for (PodLogOptions of the API).
type logOptions struct {
	follow, previous, timestamps bool
	// tail is the number of lines to show from the end, negative for all; limit that of bytes.
	tail, limit int64
	// since leaves out what is older.
	since time.Time
	// stream is "stdout", "stderr", or empty for both.
	stream string
}

// parseLogOptions reads the query that the API server sends. It has checked the values, so that an error means a client of
// another sort.
func parseLogOptions(query url.Values, now time.Time) (logOptions, error) {
	o := logOptions{tail: -1, limit: -1}
	var problem error
	number := func(key string, otherwise int64) int64 {
		text := query.Get(key)
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			problem = fmt.Errorf("%s: %q is not a number of at least 0", key, text)
		}
		return n
	}
	flag := func(key string) bool {
		text := query.Get(key)
		if text == "" {
			return false
		}
		set, err := strconv.ParseBool(text)
		if err != nil {
			problem = fmt.Errorf("%s: %q is neither true nor false", key, text)
		}
		return set
	}
	o.follow, o.previous, o.timestamps = flag("follow"), flag("previous"), flag("timestamps")
	o.tail, o.limit = number("tailLines", -1), number("limitBytes", -1)
	if seconds := number("sinceSeconds", -1); seconds >= 0 {
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

// logs answers kubectl logs. All errors have the status 400: of a 404 the API server would not pass on the text.
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
		refuse(w, http.StatusBadRequest, fmt.Sprintf("failed to open the log of container %q in pod %q: %v", r.PathValue("container"), r.PathValue("pod"), err))
		return
	}
	defer log.close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	// Nothing can be said any more when this fails: the client sees that the answer breaks off.
	_ = log.copy(r.Context(), w, http.NewResponseController(w).Flush, ended)
}
