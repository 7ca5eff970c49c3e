package tutorial

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// page returns the page of chapters[i], which is c.
func (c chapter) page(chapters []chapter, i int) (string, error) {
	var b strings.Builder
	b.WriteString(generated)
	links := navigation(chapters, i)
	fmt.Fprintf(&b, "%s\n\n# Lab %d: %s\n\n", links, c.Number, c.Title)
	b.WriteString(c.links(c.text.Intro.Markdown) + "\n")
	if err := c.begin(&b); err != nil {
		return "", err
	}
	b.WriteString("## Tasks\n\n")
	for _, t := range c.Tasks {
		note := ""
		if t.PassesAtStart {
			note = " (done at the start)"
		}
		fmt.Fprintf(&b, "- [ ] %s%s\n", t.Title, note)
	}
	b.WriteString("\n")
	for _, p := range c.text.Pages {
		fmt.Fprintf(&b, "## %s\n\n%s\n", p.Title, c.links(p.Markdown))
		for _, id := range p.Tasks {
			t, err := c.Task(id)
			if err == nil {
				err = c.task(&b, t)
			}
			if err != nil {
				return "", err
			}
		}
	}
	c.quiz(&b)
	fmt.Fprintf(&b, "---\n\n%s\n", links)
	return b.String(), nil
}

// navigation returns the links to the neighbors of chapters[i].
func navigation(chapters []chapter, i int) string {
	parts := []string{"[all labs](" + Index + ")"}
	if i > 0 {
		before := chapters[i-1]
		parts = slices.Insert(parts, 0, fmt.Sprintf("[← %d. %s](%s.md)", before.Number, before.Title, before.name))
	}
	if i+1 < len(chapters) {
		after := chapters[i+1]
		parts = append(parts, fmt.Sprintf("[%d. %s →](%s.md)", after.Number, after.Title, after.name))
	}
	return strings.Join(parts, " · ")
}

// begin writes how to start the lab, and where its files are.
func (c chapter) begin(b *strings.Builder) error {
	fmt.Fprintf(b, "## Before you begin\n\nOpen a terminal in the checkout, and run:\n\n```console\n"+
		"$ export PATH=\"$PWD/bin:$PATH\"\n$ ingresslab start %d\n"+
		"$ eval \"$(ingresslab kubeconfig --export)\"\n$ cd workspace/%s\n```\n\n", c.Number, c.name)
	fmt.Fprintf(b, "You work in namespace `%s` for about %d minutes. `ingresslab check %d` shows your progress.\n"+
		"To do this lab with the tutor instead, run `ingresslab learn %d`. If you don't have kubectl, run `make kubectl`.\n",
		c.Namespace, c.minutes(), c.Number, c.Number)
	if c.Exclusive {
		b.WriteString("This lab affects every host of the cluster, so don't do another lab at the same time.\n")
	}
	b.WriteString("\n| | |\n| --- | --- |\n")
	for _, dir := range []struct{ name, what string }{{"start", "files at the start"}, {"solution", "one solution"}} {
		links, err := c.files(dir.name)
		if err != nil {
			return err
		}
		if len(links) > 0 {
			fmt.Fprintf(b, "| %s | %s |\n", dir.what, strings.Join(links, ", "))
		}
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "..", "..", "scenarios", c.Scenario, "scenario.yaml")); c.Scenario != "" && err == nil {
		fmt.Fprintf(b, "| the topic tested in depth | [%s](../../scenarios/%s/scenario.yaml): `ingresslab run %s` |\n", c.Scenario,
			c.Scenario, c.Scenario)
	}
	b.WriteString("\n")
	return nil
}

// files returns links to the files of a directory of the lab.
func (c chapter) files(dir string) ([]string, error) {
	var links []string
	err := fs.WalkDir(os.DirFS(c.Dir), dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			links = append(links, fmt.Sprintf("[%s](%s)", name, c.fromPage(name)))
		}
		return err
	})
	slices.Sort(links)
	return links, err
}

// task writes a checkbox for a task, followed by its folded hints.
func (c chapter) task(b *strings.Builder, t lab.Task) error {
	fmt.Fprintf(b, "- [ ] **%s**\n\n", t.Title)
	if err := fold(b, "How to begin", t.DefaultHints); err != nil {
		return err
	}
	for _, h := range c.Hints {
		if len(h.Tasks) > 0 && slices.Contains(h.Tasks, t.ID) {
			if err := fold(b, "If it does not work: "+h.Levels[0], h.Levels[1:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fold writes the levels of a hint, each folded inside the one before.
func fold(b *strings.Builder, summary string, levels []string) error {
	if len(levels) == 0 {
		return nil
	}
	summary, err := general(summary)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "<details><summary>%s</summary>\n\n", html(summary))
	first, err := general(levels[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "%s\n\n", html(first))
	if err := fold(b, "More", levels[1:]); err != nil {
		return err
	}
	b.WriteString("</details>\n\n")
	return nil
}

// generalWords replace the fields of a finding, because a page has no cluster to observe.
var generalWords = map[string]string{
	"Object": "the object", "Field": "the field", "Observed": "the current value", "Expected": "the expected value",
	"Text": "", "Path": "the path", "Host": "the host",
}

// general renders a level of a hint without a cluster.
func general(level string) (string, error) {
	t, err := template.New("hint").Option("missingkey=zero").Parse(level)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, generalWords); err != nil {
		return "", err
	}
	text := strings.TrimSpace(b.String())
	if text == "" {
		text = "`ingresslab check` shows the actual result."
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:], nil
}

// html escapes HTML tags, and characters in commands that Markdown would interpret.
func html(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`).Replace(text)
}

// quiz writes the quiz, and the command that shows the answer.
func (c chapter) quiz(b *strings.Builder) {
	if c.Quiz == nil {
		return
	}
	fmt.Fprintf(b, "## Quiz\n\n%s\n\n", c.Quiz.Question)
	for _, choice := range c.Quiz.Choices {
		fmt.Fprintf(b, "- %s\n", choice)
	}
	if c.Quiz.PodsOf != "" {
		fmt.Fprintf(b, "Choose one of the pods of Service `%s`: `kubectl get endpointslices -l kubernetes.io/service-name=%s`.\n",
			c.Quiz.PodsOf, c.Quiz.PodsOf)
	}
	fmt.Fprintf(b, "\nGet the answer from the cluster:\n\n```console\n$ %s\n```\n\n", answerCommand(c.Quiz))
	fmt.Fprintf(b, "<details><summary>Why</summary>\n\n%s\n\n</details>\n\n", html(c.Quiz.Why))
}

var link = regexp.MustCompile(`\]\(([^)#:]+)([#][^)]*)?\)`)

// links changes relative links of the lesson to links of the page.
func (c chapter) links(markdown string) string {
	return link.ReplaceAllStringFunc(markdown, func(found string) string {
		m := link.FindStringSubmatch(found)
		to, err := filepath.Rel(Dir, path.Join(labsDir, c.name, m[1]))
		if err != nil || path.IsAbs(m[1]) {
			return found
		}
		return "](" + filepath.ToSlash(to) + m[2] + ")"
	})
}

// answerCommand returns the commands that show the answer to a quiz.
func answerCommand(q *lab.Quiz) string {
	if q.Request == nil {
		return "kubectl get " + q.Object + " -o jsonpath='" + q.JSONPath + "'"
	}
	var lines []string
	for _, step := range q.Before {
		if step.Expect != nil {
			lines = append(lines, curl(step.Expect, "-si"))
		}
	}
	flags := "-si"
	if q.Answer == "body" {
		flags = "-s"
	}
	return strings.Join(append(lines, curl(q.Request, flags)), "\n$ ")
}

// curl returns a request as a curl command for the default ports.
func curl(e *scenario.Expect, flags string) string {
	words := []string{"curl", flags}
	if e.From != "" {
		words = []string{"kubectl", "exec", e.From, "--", "curl", flags}
	}
	if e.Method != "" && e.Method != "GET" {
		words = append(words, "-X", e.Method)
	}
	if e.Session != "" {
		words = append(words, "-b", "cookies", "-c", "cookies")
	}
	u, err := url.Parse(e.URL)
	if err != nil {
		return strings.Join(append(words, quote(e.URL)), " ")
	}
	if e.From == "" {
		words = append(words, toLocalhost(u)...)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		words = append(words, "-H", quote(name+": "+e.Header[name]))
	}
	return strings.Join(append(words, quote(u.String())), " ")
}

// toLocalhost points a URL to this machine, and returns the curl flags for it.
func toLocalhost(u *url.URL) []string {
	var flags []string
	host, port := u.Hostname(), "8080"
	if u.Scheme == "https" {
		port = "8443"
		flags = append(flags, "-k")
	}
	u.Host = host + ":" + port
	switch {
	case host == "127.0.0.1" || strings.HasSuffix(host, ".localhost"):
	case u.Scheme == "https":
		flags = append(flags, "--resolve", host+":"+port+":127.0.0.1")
	default:
		flags = append(flags, "-H", quote("Host: "+host))
		u.Host = "127.0.0.1:" + port
	}
	return flags
}

// quote quotes a word for a shell.
func quote(word string) string {
	if strings.ContainsAny(word, " \t'\"$&|<>;*?()`\\!#~{}") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}
