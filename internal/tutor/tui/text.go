package tui

import (
	"fmt"
	"regexp"
	"strings"

	"charm.land/glamour/v2"
	"charm.land/glamour/v2/ansi"
	"charm.land/glamour/v2/styles"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

func hintNumber(i, of int) string { return fmt.Sprintf("Hint %d/%d:", i+1, of) }

func (m *model) asking() bool {
	s, _, _ := m.tutor.Page()
	return s.Kind == tutor.Asking
}

// render puts the text that is to be read into its place. It is rendered anew when it, or its width, has changed.
func (m *model) render() {
	width := max(20, min(m.text.Width()-2, textWidth))
	markdown := m.markdown()
	key := fmt.Sprint(width, m.light, markdown)
	if key == m.shown {
		return
	}
	m.shown = key
	rendered, err := renderMarkdown(markdown, width, m.styleConfig())
	if err != nil {
		rendered = markdown
	}
	m.text.SetContent(strings.Trim(rendered, "\n"))
}

// markdown is what is to be read now.
func (m *model) markdown() string {
	switch m.overlay {
	case details:
		return m.detailsText()
	case help:
		return helpText
	}
	s, _, _ := m.tutor.Page()
	title := ""
	if s.Title != "" {
		title = "## " + s.Title + "\n\n"
	}
	switch s.Kind {
	case tutor.Asking:
		return title + m.quizText()
	case tutor.Ending:
		return title + m.tutor.Summary()
	}
	return title + s.Text
}

// detailsText is everything about the present task, the hint and what has been said.
func (m *model) detailsText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "```text\n%s\n```\n", strings.Join(m.tutor.Details(), "\n"))
	if h := m.tutor.HintView(); h != nil {
		b.WriteString("\n## Hints\n")
		for i, tier := range h.Opened {
			fmt.Fprintf(&b, "\n%d. %s\n", i+1, strings.TrimSpace(tier))
		}
	}
	if lines := m.tutor.FileLines(); len(lines) > 0 {
		fmt.Fprintf(&b, "\n## Your files\n\n```text\n%s\n```\n", strings.Join(lines, "\n"))
	}
	if notices := m.tutor.Notices(); len(notices) > 0 {
		b.WriteString("\n## What happened, the latest first\n\n```text\n")
		for i := len(notices) - 1; i >= 0; i-- {
			fmt.Fprintln(&b, notices[i].Text)
		}
		b.WriteString("```\n")
	}
	return b.String()
}

func (m *model) quizText() string {
	q := m.tutor.Quiz()
	var b strings.Builder
	switch {
	case q.Question != nil:
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(q.Question.Text))
		for i, choice := range q.Question.Choices {
			fmt.Fprintf(&b, "%d. %s\n", i+1, choice)
		}
	case q.Err == nil:
		b.WriteString("Asking the cluster ...\n")
	}
	if q.Err != nil {
		fmt.Fprintf(&b, "\nThe cluster cannot be asked: %v\n", q.Err)
	}
	if q.Grade != nil {
		lines := tutor.GradeLines(*q.Grade)
		fmt.Fprintf(&b, "\n**%s**\n\n%s\n", lines[0], strings.Join(lines[1:], "\n\n"))
	}
	return b.String()
}

// listItem begins an item of a list, as far as lessons have them.
var listItem = regexp.MustCompile(`^\s*([-*+]|\d+\.) `)

// reflow joins the lines of each item of a list: the renderer fills paragraphs, and leaves items as they were broken.
func reflow(markdown string) string {
	var out []string
	fenced, item := false, false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimSpace(line)
		fence := strings.HasPrefix(trimmed, "```")
		if fence {
			fenced = !fenced
		}
		starts := listItem.MatchString(line)
		switch {
		case fenced || fence || trimmed == "":
			item = false
		case item && !starts && strings.HasPrefix(line, " "):
			out[len(out)-1] += " " + trimmed
			continue
		default:
			item = starts
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// renderMarkdown lays out Markdown for a width.
func renderMarkdown(markdown string, width int, style ansi.StyleConfig) (string, error) {
	r, err := glamour.NewTermRenderer(glamour.WithStyles(style), glamour.WithWordWrap(width))
	if err != nil {
		return "", fmt.Errorf("render the lesson: %w", err)
	}
	return r.Render(fold(reflow(markdown), width-codeMargins))
}

// styleConfig is how Markdown looks on this terminal.
func (m *model) styleConfig() ansi.StyleConfig {
	config := styles.DarkStyleConfig
	switch {
	case m.colorless:
		config = styles.NoTTYStyleConfig
	case m.light:
		config = styles.LightStyleConfig
	}
	var margin, none uint = 1, 0
	config.Document.Margin = &margin
	config.CodeBlock.Margin = &none
	config.Code.Prefix, config.Code.Suffix = "", ""
	var indent uint = 2
	config.CodeBlock.Indent = &indent
	return config
}

const helpText = `## Keys

| key | does |
| --- | --- |
| enter, n | next screen; you may read ahead |
| b | back |
| h | a hint for the task to do now; again for the next one |
| o | what was expected and what was seen, in full, and all that was said |
| s | solve that task (asks first); your files are kept as NAME.mine |
| k | skip: solve all tasks up to those of this screen, and go on (asks first) |
| r | reset: the lab and your files as at the start (asks first) |
| R | restore what is gone |
| 1-9 | answer the question at the end |
| ↑ ↓ PgUp PgDn space g G | scroll |
| q, Ctrl-C | quit; the lab keeps running, your progress is kept |

Work with kubectl and an editor in another terminal: tasks are ticked off as they come true.
`
