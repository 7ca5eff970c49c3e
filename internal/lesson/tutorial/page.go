package tutorial

import (
	"fmt"
	"io/fs"
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
	"github.com/ingresslab/ingresslab/internal/lesson"
)

// page writes a lab as a page. Its neighbors may be nil.
func (c chapter) page(before, after *chapter) (string, error) {
	var b strings.Builder
	b.WriteString(generated)
	way := navigation(before, after)
	fmt.Fprintf(&b, "%s\n\n# Lab %d: %s\n\n", way, c.Number, c.Title)
	b.WriteString(c.links(c.text.Intro.Markdown) + "\n")
	if err := c.begin(&b); err != nil {
		return "", err
	}
	b.WriteString("## What you will have done\n\n")
	for _, t := range c.Tasks {
		note := ""
		if t.PassesAtStart {
			note = " (true from the start)"
		}
		fmt.Fprintf(&b, "- [ ] %s%s\n", t.Title, note)
	}
	b.WriteString("\n")
	for _, s := range c.text.Screens {
		if err := c.screen(&b, s); err != nil {
			return "", err
		}
	}
	c.quiz(&b)
	fmt.Fprintf(&b, "---\n\n%s\n", way)
	return b.String(), nil
}

func navigation(before, after *chapter) string {
	var parts []string
	if before != nil {
		parts = append(parts, fmt.Sprintf("[← %d. %s](%s.md)", before.Number, before.Title, before.name))
	}
	parts = append(parts, "[all labs]("+Index+")")
	if after != nil {
		parts = append(parts, fmt.Sprintf("[%d. %s →](%s.md)", after.Number, after.Title, after.name))
	}
	return strings.Join(parts, " · ")
}

// begin says how to get to where the lab begins, and where its files are.
func (c chapter) begin(b *strings.Builder) error {
	fmt.Fprintf(b, "## Before you begin\n\nIn a terminal, in the checkout:\n\n```console\n$ export PATH=\"$PWD/bin:$PATH\"\n$ ingresslab start %d\n"+
		"$ eval \"$(ingresslab kubeconfig --export)\"\n$ cd workspace/%s\n```\n\n", c.Number, c.name)
	fmt.Fprintf(b, "You work in the namespace `%s`, for about %d minutes. `ingresslab learn %d` leads through the same lab in the terminal, and "+
		"`ingresslab check %d` says\nwhat is done. If there is no kubectl on your machine, `make kubectl` puts one into bin/.\n",
		c.Namespace, c.minutes(), c.Number, c.Number)
	if c.Exclusive {
		b.WriteString("What this lab changes is seen by every host of the cluster: do no other lab beside it.\n")
	}
	b.WriteString("\n| | |\n| --- | --- |\n")
	for _, dir := range []struct{ name, what string }{{"start", "what you begin with"}, {"solution", "what it can come to"}} {
		links, err := c.files(dir.name)
		if err != nil {
			return err
		}
		if len(links) > 0 {
			fmt.Fprintf(b, "| %s | %s |\n", dir.what, strings.Join(links, ", "))
		}
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "..", "..", "scenarios", c.Scenario, "scenario.yaml")); c.Scenario != "" && err == nil {
		fmt.Fprintf(b, "| the same subject, tested in depth | [%s](../../scenarios/%s/scenario.yaml): `bin/ingresslab run %s` |\n", c.Scenario, c.Scenario, c.Scenario)
	}
	b.WriteString("\n")
	return nil
}

// files links to the files of a directory of the lab.
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

func (c chapter) screen(b *strings.Builder, s lesson.Screen) error {
	fmt.Fprintf(b, "## %s\n\n%s\n", s.Title, c.links(s.Markdown))
	for _, id := range s.Tasks {
		i := slices.IndexFunc(c.Tasks, func(t lab.Task) bool { return t.ID == id })
		if err := c.task(b, c.Tasks[i]); err != nil {
			return err
		}
	}
	return nil
}

// task is a box to tick off, with everything that helps folded up behind it.
func (c chapter) task(b *strings.Builder, t lab.Task) error {
	fmt.Fprintf(b, "- [ ] **%s**\n\n", t.Title)
	if len(t.DefaultHints) > 0 {
		if err := fold(b, "How to begin", t.DefaultHints); err != nil {
			return err
		}
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

// fold writes steps of help, each behind the one before.
func fold(b *strings.Builder, summary string, tiers []string) error {
	if len(tiers) == 0 {
		return nil
	}
	summary, err := general(summary)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "<details><summary>%s</summary>\n\n", html(summary))
	first, err := general(tiers[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "%s\n\n", html(first))
	if err := fold(b, "More", tiers[1:]); err != nil {
		return err
	}
	b.WriteString("</details>\n\n")
	return nil
}

// unobserved stands for what a hint says about the fault that it answers: a page does not know what is observed.
var unobserved = map[string]string{
	"Object": "the object", "Field": "the field", "Observed": "what is there", "Expected": "what is expected",
	"Text": "", "Path": "the path", "Host": "the host",
}

// general renders a hint for nobody's cluster in particular.
func general(tier string) (string, error) {
	t, err := template.New("hint").Option("missingkey=zero").Parse(tier)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, unobserved); err != nil {
		return "", err
	}
	text := strings.TrimSpace(b.String())
	if text == "" {
		text = "`bin/ingresslab check` says what is observed."
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:], nil
}

// html keeps < and > of a text from being taken for tags, and commands from being taken for Markdown.
func html(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`).Replace(text)
}

// quiz poses the question, and says how to ask the cluster.
func (c chapter) quiz(b *strings.Builder) {
	if c.Quiz == nil {
		return
	}
	fmt.Fprintf(b, "## A question at the end\n\n%s\n\n", c.Quiz.Question)
	for _, choice := range c.Quiz.Choices {
		fmt.Fprintf(b, "- %s\n", choice)
	}
	if c.Quiz.PodsOf != "" {
		fmt.Fprintf(b, "The choices are the pods of the Service `%s`: `kubectl get endpointslices -l kubernetes.io/service-name=%s`.\n", c.Quiz.PodsOf, c.Quiz.PodsOf)
	}
	fmt.Fprintf(b, "\nWhat is right, the cluster knows. Ask it:\n\n```console\n$ %s\n```\n\n", ask(c.Quiz))
	fmt.Fprintf(b, "<details><summary>Why</summary>\n\n%s\n\n</details>\n\n", html(c.Quiz.Why))
}

var link = regexp.MustCompile(`\]\(([^)#:]+)([#][^)]*)?\)`)

// links makes links that lead from the lesson to a file lead there from the page.
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
