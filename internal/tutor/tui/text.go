package tui

import (
	"fmt"
	"regexp"
	"strings"

	"charm.land/glamour/v2"
	"charm.land/glamour/v2/ansi"
	"charm.land/glamour/v2/styles"
	"charm.land/lipgloss/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

// render renders the text if the text, the width, or the style has changed.
func (m *model) render() {
	width := max(20, min(m.text.Width()-2, textWidth))
	markdown := m.markdown()
	key := fmt.Sprint(width, m.light, markdown)
	if key == m.rendered {
		return
	}
	m.rendered = key
	rendered, err := renderMarkdown(markdown, width, m.styleConfig())
	if err != nil {
		rendered = markdown
	}
	m.text.SetContent(strings.Trim(rendered, "\n"))
}

// markdown returns the text to show.
func (m *model) markdown() string {
	switch m.overlay {
	case details:
		return m.detailsText()
	case help:
		return helpText
	}
	page, _, _ := m.tutor.Page()
	title := ""
	if page.Title != "" {
		title = "## " + page.Title + "\n\n"
	}
	switch page.Kind {
	case tutor.QuizPage:
		return title + m.quizText()
	case tutor.SummaryPage:
		return title + m.tutor.Summary()
	}
	return title + page.Text
}

// detailsText describes the current task, the hint, the files, and all notices.
func (m *model) detailsText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "```text\n%s\n```\n", strings.Join(m.tutor.Details(), "\n"))
	if h := m.tutor.HintView(); h != nil {
		b.WriteString("\n## Hints\n")
		for i, level := range h.Opened {
			fmt.Fprintf(&b, "\n%d. %s\n", i+1, strings.TrimSpace(level))
		}
	}
	if lines := m.tutor.FileLines(); len(lines) > 0 {
		fmt.Fprintf(&b, "\n## Your files\n\n```text\n%s\n```\n", strings.Join(lines, "\n"))
	}
	if notices := m.tutor.Notices(); len(notices) > 0 {
		b.WriteString("\n## Messages, the latest first\n\n```text\n")
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
		b.WriteString("Loading the quiz ...\n")
	}
	if q.Err != nil {
		fmt.Fprintf(&b, "\nThe quiz is not available: %v\n", q.Err)
	}
	if q.Grade != nil {
		lines := tutor.GradeLines(*q.Grade)
		fmt.Fprintf(&b, "\n**%s**\n\n%s\n", lines[0], strings.Join(lines[1:], "\n\n"))
	}
	return b.String()
}

var listItem = regexp.MustCompile(`^\s*([-*+]|\d+\.) `)

// reflow joins the lines of each list item: glamour fills paragraphs but keeps items' line breaks.
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

func renderMarkdown(markdown string, width int, style ansi.StyleConfig) (string, error) {
	r, err := glamour.NewTermRenderer(glamour.WithStyles(style), glamour.WithWordWrap(width))
	if err != nil {
		return "", fmt.Errorf("render the lesson: %w", err)
	}
	return r.Render(fold(reflow(markdown), width-codeMargins))
}

// styleConfig returns the Markdown style for this terminal.
func (m *model) styleConfig() ansi.StyleConfig {
	config := styles.DarkStyleConfig
	switch {
	case m.colorless:
		config = styles.NoTTYStyleConfig
	case m.light:
		config = styles.LightStyleConfig
	}
	config.Document.Margin = new(uint(1))
	config.CodeBlock.Margin = new(uint(0))
	config.Code.Prefix, config.Code.Suffix = "", ""
	config.CodeBlock.Indent = new(uint(2))
	return config
}

const helpText = `## Keys

| key | action |
| --- | --- |
| enter, n | go to the next page; you can read ahead |
| b | go to the previous page |
| h | show a hint for the current task; press again for more |
| o | show the expected and the actual result, and all messages |
| s | solve the current task; asks first, and keeps your files as NAME.mine |
| k | skip: solve all tasks up to this page, and go to the next page; asks first |
| r | reset the lab and your files; asks first |
| R | restore what is missing |
| 1-9 | answer the quiz |
| ↑ ↓ PgUp PgDn space g G | scroll |
| q, Ctrl-C | quit; the lab keeps running, and your progress is saved |

Work with kubectl and an editor in another terminal. The tutor marks each task as done once its check passes.
`

const codeMargins = 4 // the difference between the widths of the text and of a code block

// fold breaks long commands in console blocks at a space, with a backslash, so that a copied
// command still works. glamour would break them anywhere. Outputs stay as they are.
func fold(markdown string, width int) string {
	var out []string
	console, command, document := false, false, ""
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(trimmed, "```"):
			console, command, document = !console && strings.HasPrefix(trimmed, "```console"), false, ""
		case !console:
		case document != "": // inside a here-document
			if trimmed == document {
				document = ""
			}
		case command || strings.HasPrefix(line, "$ "):
			command = strings.HasSuffix(line, "\\")
			document = heredoc(line)
			out = append(out, foldCommand(line, width)...)
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// heredoc returns WORD of <<WORD or <<'WORD', or "" if the line starts no here-document.
func heredoc(line string) string {
	_, after, found := strings.Cut(line, "<<")
	if !found || strings.HasPrefix(after, "<") {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimLeft(after, "- "), " ")
	return strings.Trim(word, `'"`)
}

// foldCommand breaks one line of a command at unquoted spaces.
func foldCommand(line string, width int) []string {
	const more, indent = " \\", "      "
	var lines []string
	for lipgloss.Width(line) > width {
		at := lastBreak(line, width-lipgloss.Width(more))
		if at < 0 {
			break
		}
		lines = append(lines, line[:at]+more)
		line = indent + line[at+1:]
	}
	return append(lines, line)
}

// lastBreak returns the last unquoted space within width, or -1, ignoring prompt and indent.
func lastBreak(line string, width int) int {
	at, quote := -1, byte(0)
	first := len(line) - len(strings.TrimLeft(strings.TrimPrefix(line, "$ "), " "))
	for i := range len(line) {
		c := line[i]
		switch {
		case lipgloss.Width(line[:i]) > width:
			return at
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ' ' && i > first && line[i-1] != ' ' && line[i-1] != '\\':
			at = i
		}
	}
	return at
}
