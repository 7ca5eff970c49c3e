package lesson_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lesson"
)

const text = "# Lab 1: Doors\n" +
	"\n" +
	"Why.\n" +
	"\n" +
	"## Look\n" +
	"<!-- tasks: first, second -->\n" +
	"\n" +
	"Ask:\n" +
	"\n" +
	"```console\n" +
	"$ curl -s \\\n" +
	"    http://web.localhost:8080/\n" +
	"404 nothing here\n" +
	"\n" +
	"$ kubectl apply -f - <<END\n" +
	"$ not: a command\n" +
	"END\n" +
	"```\n" +
	"<!-- play: kubectl scale deployment web --replicas=2 -->\n" +
	"\n" +
	"## Write\n" +
	"\n" +
	"- Now the file:\n" +
	"\n" +
	"  ```yaml file=web.yaml\n" +
	"  a: 1\n" +
	"  ## no heading\n" +
	"  ```\n" +
	"\n" +
	"```console skip\n" +
	"$ kubectl edit ingress web\n" +
	"```\n" +
	"```json\n" +
	"{}\n" +
	"```\n"

func TestParse(t *testing.T) {
	l, faults := lesson.Parse("lesson.md", text, 11)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if l.Title != "Lab 1: Doors" || l.Intro.Markdown != "Why.\n" || len(l.Pages) != 2 {
		t.Errorf("title %q, introduction %q, %d pages", l.Title, l.Intro.Markdown, len(l.Pages))
	}
	look, write := l.Pages[0], l.Pages[1]
	want := lesson.Page{
		Title: "Look", Line: 15, Tasks: []string{"first", "second"},
		Markdown: "Ask:\n\n```console\n$ curl -s \\\n    http://web.localhost:8080/\n404 nothing here\n\n" +
			"$ kubectl apply -f - <<END\n$ not: a command\nEND\n```\n",
		Blocks: []lesson.Block{
			{Kind: lesson.Prose, Line: 18, Text: "Ask:"},
			{
				Kind: lesson.Console, Line: 20, Language: "console",
				Text: "$ curl -s \\\n    http://web.localhost:8080/\n404 nothing here\n\n$ kubectl apply -f - <<END\n$ not: a command\nEND\n",
				Commands: []lesson.Command{
					{Text: "curl -s \\\n    http://web.localhost:8080/", Line: 21, OutputLine: 23, Output: []string{"404 nothing here", ""}},
					{Text: "kubectl apply -f - <<END\n$ not: a command\nEND", Line: 25, OutputLine: 28},
				},
			},
			{
				Kind: lesson.Console, Hidden: true, Line: 29, Text: "kubectl scale deployment web --replicas=2",
				Commands: []lesson.Command{{Text: "kubectl scale deployment web --replicas=2", Line: 29, OutputLine: 30}},
			},
		},
	}
	if diff := cmp.Diff(want, look); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(write.Markdown, "file=") || strings.Contains(write.Markdown, "skip") {
		t.Errorf("the Markdown contains flags:\n%s", write.Markdown)
	}
	var blocks []string
	for _, b := range write.Blocks {
		blocks = append(blocks, fmt.Sprint(b.Line, b.Language, b.Name, b.Skip, " ", b.Replayed()))
	}
	if diff := cmp.Diff([]string{"33false false", "35yamlweb.yamlfalse true", "40consoletrue false", "43jsonfalse false"},
		blocks); diff != "" {
		t.Error(diff)
	}
	if got := write.Blocks[1].Text; got != "a: 1\n## no heading\n" {
		t.Errorf("the file in the list is %q", got)
	}
	if l.PageOf("second") != 0 || l.PageOf("third") != -1 {
		t.Errorf("second is on page %d, third on %d", l.PageOf("second"), l.PageOf("third"))
	}
}

func TestFaultsHaveLineNumbers(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no pages", "Only prose.\n", "lesson.md:5: the lesson has no pages; start each page with a ## heading\n"},
		{"task twice", "## A\n<!-- tasks: one -->\n## B\n<!-- tasks: one, two -->\n",
			`lesson.md:7: page "B": task "one" is also on another page (line 5)` + "\n"},
		{"task missing", "## A\n<!-- tasks: one -->\n",
			`lesson.md:5: task "two" is on no page; add a line <!-- tasks: two --> below a heading` + "\n"},
		{"unknown task", "## A\n<!-- tasks: one, two, noe -->\n",
			`lesson.md:5: page "A": the lab has no task "noe" (did you mean "one"?)` + "\n"},
		{"tasks in the introduction", "<!-- tasks: one -->\n## A\n<!-- tasks: one, two -->\n",
			"lesson.md:5: the introduction cannot have tasks; move them below a ## heading\n"},
		{"tasks far below", "## A\nProse.\n<!-- tasks: one, two -->\n",
			"lesson.md:7: the list of tasks must be right below the heading (line 5)\n"},
		{"flag", "## A\n<!-- tasks: one, two -->\n```console skpi\n$ ls\n```\n",
			`lesson.md:7: unknown flag "skpi"; use skip for console blocks, and file=NAME for others (did you mean "skip"?)` + "\n"},
		{"file outside", "## A\n<!-- tasks: one, two -->\n```yaml file=../a.yaml\n```\n",
			"lesson.md:7: file=../a.yaml: not a path in the workspace, such as file=ingress.yaml\n"},
		{"no command", "## A\n<!-- tasks: one, two -->\n```console\n```\n",
			"lesson.md:7: the console block has no command; start one with \"$ \"\n"},
		{"output first", "## A\n<!-- tasks: one, two -->\n```console\n\nls\n```\n",
			`lesson.md:8: a console block starts with a command; put "$ " before ""` + "\n"},
		{"open block", "## A\n<!-- tasks: one, two -->\n```console\n$ ls\n", "lesson.md:7: the block has no end; add a line ```\n"},
		{"open comment", "## A\n<!-- tasks: one, two -->\n<!-- play: ls\n", "lesson.md:7: the comment has no end; add -->\n"},
		{"empty comment", "## A\n<!-- tasks: one, two -->\n<!-- play: -->\n", "lesson.md:7: the comment has no command\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, faults := lesson.Parse("lesson.md", c.text, 5)
			if len(l.Pages) > 0 {
				faults = append(faults, l.CheckTasks([]string{"one", "two"})...)
			}
			got := ""
			for _, f := range faults {
				got += f.String() + "\n"
			}
			if got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestPortsRoundTrip(t *testing.T) {
	here := cluster.Addresses{HTTP: "127.0.0.1:31001", HTTPS: "127.0.0.1:31002", Status: "127.0.0.1:8080"}
	for in, want := range map[string]string{
		"curl http://web.localhost:8080/":                             "curl http://web.localhost:31001/",
		"curl -H 'Host: website.com' http://127.0.0.1:8080/a":         "curl -H 'Host: website.com' http://127.0.0.1:31001/a",
		"curl --resolve web.com:8443:127.0.0.1 https://web.com:8443/": "curl --resolve web.com:31002:127.0.0.1 https://web.com:31002/",
		"http://127.0.0.1:18080/":                                     "http://127.0.0.1:8080/",
		"* Connected to web.localhost (127.0.0.1) port 8080":          "* Connected to web.localhost (127.0.0.1) port 31001",
		"10.244.1.4:8080": "10.244.1.4:8080",
		"http://web.lab-3.svc:8080/ web:8080 containerPort: 8080": "http://web.lab-3.svc:8080/ web:8080 containerPort: 8080",
		"http://web.lab-3.svc.cluster.local:8080/":                "http://web.lab-3.svc.cluster.local:8080/",
	} {
		got := lesson.WithPorts(in, here)
		if got != want {
			t.Errorf("WithPorts(%q) = %q, want %q", in, got, want)
		}
		if back := lesson.WithDefaultPorts(got, here); back != in {
			t.Errorf("WithDefaultPorts(%q) = %q, want %q", got, back, in)
		}
	}
}

// A here-string ends with its line. The next lines are output.
func TestHereStringHasOneLine(t *testing.T) {
	l, faults := lesson.Parse("lesson.md", "## A\n\n```console\n$ cat <<<hello\nhello\n$ <<END cat\n$ there\nEND\n$ there\n```\n", 1)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range l.Pages[0].Blocks[0].Commands {
		got = append(got, c.Text+" -> "+strings.Join(c.Output, "|"))
	}
	want := []string{"cat <<<hello -> hello", "<<END cat\n$ there\nEND -> ", "there -> "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
