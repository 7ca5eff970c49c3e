package fetch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/workload/fetch"
)

func TestWgetReturnsExitCodes(t *testing.T) {
	s := site(t)
	tests := map[string]struct {
		args string
		code int
		out  string
		err  string
	}{
		"standard output":             {"-qO- URL/x", 0, "GET /x", ""},
		"redirect":                    {"-qO- URL/moved", 0, "GET /target?x=1", ""},
		"header":                      {"-q -O - --header X-One:1 URL/headers", 0, `X-One=["1"]`, ""},
		"data":                        {"-qO- --post-data=a=1 URL/", 0, `POST / host=`, ""},
		"server response":             {"-qSO- URL/x", 0, "GET /x", "< HTTP/1.1 200 OK"},
		"spider":                      {"--spider URL/x", 0, "", "exists"},
		"error status":                {"-qO- URL/missing", 8, "", "404 Not Found"},
		"spider with an error status": {"-q --spider URL/missing", 8, "", "404 Not Found"},
		"network error":               {"-qO- URL/hangup", 1, "", "empty reply"},
		"unknown option":              {"--recursive URL", 2, "", "unknown flag: --recursive; the options are:"},
		"no URL":                      {"-q", 2, "", "no URL given"},
		"timeout":                     {"-q -O- -T 0.01 URL/stuck", 1, "", "timed out"},
		"URL without a host":          {"-q http://", 1, "", "has no host"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := run(t, fetch.Wget, strings.Fields(strings.ReplaceAll(tt.args, "URL", s.URL))...)
			if got.code != tt.code || !strings.Contains(got.out, tt.out) || !strings.Contains(got.err, tt.err) {
				t.Errorf("wget %s: %+v; want %d, %q, %q", tt.args, got, tt.code, tt.out, tt.err)
			}
			if tt.out == "" && got.out != "" {
				t.Errorf("wget %s: printed %q", tt.args, got.out)
			}
		})
	}
}

func TestWgetDerivesFileNameFromURL(t *testing.T) {
	s := site(t)
	t.Chdir(t.TempDir())
	for url, file := range map[string]string{s.URL: "index.html", s.URL + "/a/page?x=1": "page", s.URL + "/dir/": "dir"} {
		if got := run(t, fetch.Wget, url); got.code != 0 || !strings.Contains(got.err, "saved in "+file) {
			t.Errorf("wget %s: %+v, want it saved in %s", url, got, file)
		}
		if data, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(data), "GET ") {
			t.Errorf("%s: %q, %v", file, data, err)
		}
	}
}
