package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// codeMargins is how much narrower than the text a code block is.
const codeMargins = 4

// fold breaks the commands of console blocks that are wider than the screen, as a person would in a shell: at a space, with a
// backslash. The renderer breaks lines anywhere, and what is copied from it is no command anymore. Outputs stay as they are.
func fold(markdown string, width int) string {
	var out []string
	console, command, document := false, false, ""
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(trimmed, "```"):
			console, command, document = !console && strings.HasPrefix(trimmed, "```console"), false, ""
		case !console:
		case document != "": // the text of a command's standard input
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

// heredoc returns the word that ends a command's standard input: that of <<WORD or <<'WORD'; empty if there is none.
func heredoc(line string) string {
	_, after, found := strings.Cut(line, "<<")
	if !found || strings.HasPrefix(after, "<") {
		return ""
	}
	word, _, _ := strings.Cut(strings.TrimLeft(after, "- "), " ")
	return strings.Trim(word, `'"`)
}

// foldCommand breaks one line of a command at spaces that are not quoted.
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

// lastBreak returns the index of the last space outside of quotes at which a line fits into width; -1 if there is none. Those of
// prompt and indent do not count.
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
