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
	if l.Title != "Lab 1: Doors" || l.Intro.Markdown != "Why.\n" || len(l.Screens) != 2 {
		t.Errorf("title %q, introduction %q, %d screens", l.Title, l.Intro.Markdown, len(l.Screens))
	}
	look, write := l.Screens[0], l.Screens[1]
	want := lesson.Screen{
		Title: "Look", Line: 15, Tasks: []string{"first", "second"},
		Markdown: "Ask:\n\n```console\n$ curl -s \\\n    http://web.localhost:8080/\n404 nothing here\n\n$ kubectl apply -f - <<END\n$ not: a command\nEND\n```\n",
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
		t.Errorf("flags of blocks are shown:\n%s", write.Markdown)
	}
	var blocks []string
	for _, b := range write.Blocks {
		blocks = append(blocks, fmt.Sprint(b.Line, b.Language, b.Name, b.Skip, " ", b.Played()))
	}
	if diff := cmp.Diff([]string{"33false false", "35yamlweb.yamlfalse true", "40consoletrue false", "43jsonfalse false"}, blocks); diff != "" {
		t.Error(diff)
	}
	if got := write.Blocks[1].Text; got != "a: 1\n## no heading\n" {
		t.Errorf("the file in the list holds %q", got)
	}
	if l.Screen("second") != 0 || l.Screen("third") != -1 {
		t.Errorf("second is on screen %d, third on %d", l.Screen("second"), l.Screen("third"))
	}
}

func TestFaultsHaveTheLinesOfTheFile(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no screens", "Only prose.\n", "lesson.md:5: the lesson has no screens: each begins with a heading of two #\n"},
		{"task twice", "## A\n<!-- tasks: one -->\n## B\n<!-- tasks: one, two -->\n", `lesson.md:7: screen "B": task "one" is on another screen, too (line 5)` + "\n"},
		{"task missing", "## A\n<!-- tasks: one -->\n", `lesson.md:5: task "two" is on no screen: name it in a line <!-- tasks: two --> right under a heading` + "\n"},
		{"unknown task", "## A\n<!-- tasks: one, two, noe -->\n", `lesson.md:5: screen "A": the lab has no task "noe" (did you mean "one"?)` + "\n"},
		{"tasks in the introduction", "<!-- tasks: one -->\n## A\n<!-- tasks: one, two -->\n",
			"lesson.md:5: tasks are done on screens, which begin with a heading of two #: the introduction has none\n"},
		{"tasks far below", "## A\nProse.\n<!-- tasks: one, two -->\n", "lesson.md:7: the tasks stand right under the heading (line 5)\n"},
		{"flag", "## A\n<!-- tasks: one, two -->\n```console skpi\n$ ls\n```\n",
			`lesson.md:7: unknown flag "skpi" of a block: console has skip, others have file=NAME (did you mean "skip"?)` + "\n"},
		{"file outside", "## A\n<!-- tasks: one, two -->\n```yaml file=../a.yaml\n```\n",
			"lesson.md:7: file=../a.yaml: a file of the workspace is expected, such as file=ingress.yaml\n"},
		{"no command", "## A\n<!-- tasks: one, two -->\n```console\n```\n", "lesson.md:7: the console block has no command: \"$ \" begins one\n"},
		{"output first", "## A\n<!-- tasks: one, two -->\n```console\n\nls\n```\n",
			`lesson.md:8: a console block begins with a command: "" has no "$ " before it` + "\n"},
		{"open block", "## A\n<!-- tasks: one, two -->\n```console\n$ ls\n", "lesson.md:7: the block has no end: a line ``` is missing\n"},
		{"open comment", "## A\n<!-- tasks: one, two -->\n<!-- play: ls\n", "lesson.md:7: the comment has no end: --> is missing\n"},
		{"empty comment", "## A\n<!-- tasks: one, two -->\n<!-- play: -->\n", "lesson.md:7: there is no command to play\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, faults := lesson.Parse("lesson.md", c.text, 5)
			if len(l.Screens) > 0 {
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

func TestPortsThereAndBack(t *testing.T) {
	here := cluster.Addresses{HTTP: "127.0.0.1:31001", HTTPS: "127.0.0.1:31002", Status: "127.0.0.1:8080"}
	for in, want := range map[string]string{
		"curl http://web.localhost:8080/":                                     "curl http://web.localhost:31001/",
		"curl -H 'Host: website.com' http://127.0.0.1:8080/a":                 "curl -H 'Host: website.com' http://127.0.0.1:31001/a",
		"curl --resolve website.com:8443:127.0.0.1 https://website.com:8443/": "curl --resolve website.com:31002:127.0.0.1 https://website.com:31002/",
		"http://127.0.0.1:18080/":                                             "http://127.0.0.1:8080/",
		"* Connected to web.localhost (127.0.0.1) port 8080":                  "* Connected to web.localhost (127.0.0.1) port 31001",
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

// A here-string is over with its line, and what looks like its word below is output.
func TestAHereStringHasOneLine(t *testing.T) {
	l, faults := lesson.Parse("lesson.md", "## A\n\n```console\n$ cat <<<hello\nhello\n$ <<END cat\n$ there\nEND\n$ there\n```\n", 1)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range l.Screens[0].Blocks[0].Commands {
		got = append(got, c.Text+" -> "+strings.Join(c.Output, "|"))
	}
	want := []string{"cat <<<hello -> hello", "<<END cat\n$ there\nEND -> ", "there -> "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
