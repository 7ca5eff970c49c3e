package tutorial

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

var update = flag.Bool("update", false, "write the tutorial")

const root = "../../.."

func TestTutorialIsCurrent(t *testing.T) {
	pages, err := Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, Dir)
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	there, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if _, wanted := pages[filepath.Base(file)]; wanted {
			continue
		}
		if !*update {
			t.Errorf("%s belongs to no lab; run `make generate`", file)
		} else if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, page := range pages {
		file := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != page {
			t.Errorf("%s is outdated (%v); run `make generate`", name, err)
		}
	}
}

var target = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

func TestLinkTargetsExist(t *testing.T) {
	pages, err := Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range pages {
		for _, m := range target.FindAllStringSubmatch(page, -1) {
			if _, own := pages[m[1]]; own {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, Dir, m[1])); err != nil {
				t.Errorf("%s: the link %s: %v", name, m[1], err)
			}
		}
	}
}

func TestPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "03-web")
	for _, d := range []string{"start", "solution"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d, "web.yaml"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, faults := lesson.Parse("lesson.md", "# Lab\n\nWhy.\n\n## Look\n<!-- tasks: go -->\nSee [this](../../docs/glossary.md#host).\n"+
		"\n```yaml file=web.yaml\na: 1\n```\n<!-- play: secret -->\n", 1)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	l := &lab.Lab{Number: 3, Name: "web", Dir: dir}
	l.Title, l.Namespace = "A web site", "lab-3"
	l.Tasks = []lab.Task{{ID: "go", Title: "It goes", DefaultHints: []string{"What is missing?", "A <class>."}}}
	l.Hints = []lab.Hint{{Tasks: []string{"go"}, Levels: []string{"Is it there?", "{{.Object}} is not."}}}
	l.Quiz = &lab.Quiz{Question: "Who?", Choices: []string{"a", "b"}, Answer: "app", Why: "Because.",
		Request: &scenario.Expect{URL: "https://web.test/x?y=1&z=2", Header: map[string]string{"FOO": "bar"}}}
	c := chapter{Lab: l, text: text, name: "03-web"}
	page, err := c.page([]chapter{c, {Lab: &lab.Lab{Number: 4}, name: "04-next"}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Lab 3: A web site\n", "Why.\n", "- [ ] It goes\n", "## Look\n", "See [this](../glossary.md#host).", "```yaml\na: 1\n```",
		"- [ ] **It goes**",
		"<details><summary>How to begin</summary>\n\nWhat is missing?\n\n<details><summary>More</summary>\n\nA &lt;class&gt;.",
		"<summary>If it does not work: Is it there?</summary>\n\nThe object is not.", "[start/web.yaml](../../labs/03-web/start/web.yaml)",
		"$ curl -si -k --resolve web.test:8443:127.0.0.1 -H 'FOO: bar' 'https://web.test:8443/x?y=1&z=2'", "→](04-next.md)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "secret") || strings.Contains(page, "file=") {
		t.Errorf("the page has text for the replay:\n%s", page)
	}
}

func TestAnswerCommand(t *testing.T) {
	for want, q := range map[string]*lab.Quiz{
		"kubectl get service/web -o jsonpath='{.spec.type}'": {Object: "service/web", JSONPath: "{.spec.type}"},
		"curl -si http://web.localhost:8080/":                {Request: &scenario.Expect{URL: "http://web.localhost/"}, Answer: "status"},
		"curl -s -H 'Host: web.com' http://127.0.0.1:8080/a": {Request: &scenario.Expect{URL: "http://web.com/a"}, Answer: "body"},
		"kubectl exec net-test -- curl -si http://web.lab-1/": {Request: &scenario.Expect{URL: "http://web.lab-1/", From: "net-test"},
			Answer: "status"},
		"curl -si -b cookies -c cookies http://web.localhost:8080/\n$ curl -si -b cookies -c cookies http://web.localhost:8080/": {
			Before:  []scenario.Step{{Expect: &scenario.Expect{URL: "http://web.localhost/", Session: "me"}}},
			Request: &scenario.Expect{URL: "http://web.localhost/", Session: "me"}, Answer: "pod",
		},
	} {
		if got := answerCommand(q); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestGeneralHint(t *testing.T) {
	for level, want := range map[string]string{
		"which host?": "Which host?", "{{.Object}} has another": "The object has another", "évidemment": "Évidemment", "“ours”": "“ours”",
		"{{.Text}}": "`ingresslab check` shows the actual result.",
	} {
		if got, err := general(level); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", level, got, err, want)
		}
	}
}
