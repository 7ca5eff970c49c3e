package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

// All sizes are in cells of the terminal.
const (
	// wide is the width from which the panel is beside the lesson instead of below it.
	wide       = 116
	panelWidth = 44
	// textWidth is the maximum width of the text, because longer lines are hard to read.
	textWidth                     = 100
	smallestWidth, smallestHeight = 30, 10
	// frameHeight is the height of the header, the separator, the status line, and the keys.
	frameHeight = 4
)

// beside reports whether the panel is beside the lesson.
func (m *model) beside() bool { return m.width >= wide }

// layOut sets the size of the lesson and renders it.
func (m *model) layOut() {
	if m.beside() {
		m.text.SetWidth(min(m.width-panelWidth-1, textWidth+4))
		m.text.SetHeight(max(1, m.height-frameHeight+1))
	} else {
		m.text.SetWidth(m.width)
		m.text.SetHeight(max(1, m.height-frameHeight-len(m.belowLines())))
	}
	m.render()
}

// belowLines is the panel below the lesson, which keeps about half of the height.
func (m *model) belowLines() []string {
	return m.limit(m.panel(m.width), max(3, (m.height-frameHeight)*11/20))
}

// limit cuts lines to a number of rows. The last row then says how to see the other lines.
func (m *model) limit(lines []string, rows int) []string {
	if len(lines) > rows {
		lines = append(lines[:rows-1], m.paint(dim, "… press o to see everything"))
	}
	return lines
}

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.frame())
	v.AltScreen = true
	v.WindowTitle = fmt.Sprintf("ingresslab %d: %s", m.tutor.Lab().Number, m.tutor.Lab().Title)
	return v
}

func (m *model) frame() string {
	if m.width < smallestWidth || m.height < smallestHeight {
		return fmt.Sprintf("%dx%d is too small\nfor the tutor;\nq quits.", m.width, m.height)
	}
	body := m.text.View()
	rows := []string{m.header()}
	if m.beside() {
		lines := m.limit(m.panel(panelWidth-2), m.text.Height())
		bar := strings.TrimRight(strings.Repeat("│ \n", m.text.Height()), "\n")
		rows = append(rows, lipgloss.JoinHorizontal(lipgloss.Top, body, m.paint(dim, bar), strings.Join(lines, "\n")))
	} else {
		rows = append(rows, body, m.separator())
		rows = append(rows, m.belowLines()...)
	}
	return strings.Join(append(rows, m.status(), m.keys()), "\n")
}

// header shows the lab and the page.
func (m *model) header() string {
	page, number, total := m.tutor.Page()
	left := fmt.Sprintf(" Lab %d  %s", m.tutor.Lab().Number, m.tutor.Lab().Title)
	title, count := page.Title, fmt.Sprintf("  %d/%d ", number, total)
	switch m.overlay {
	case details:
		title, count = "expected and actual results", " "
	case help:
		title, count = "keys", " "
	}
	// The page's title is cut first, because the text starts with it.
	title = clip(title, max(0, m.width-lipgloss.Width(left)-lipgloss.Width(count)-1))
	if lipgloss.Width(title) < 4 {
		title, count = "", strings.TrimLeft(count, " ")
	}
	return lipgloss.NewStyle().Reverse(true).Render(m.spread(clip(left, max(0, m.width-lipgloss.Width(title+count)-1)), title+count))
}

// spread puts two texts at the ends of a line.
func (m *model) spread(left, right string) string {
	return left + strings.Repeat(" ", max(1, m.width-lipgloss.Width(left)-lipgloss.Width(right))) + right
}

// separator is the line between the lesson and the panel, with the scroll position.
func (m *model) separator() string {
	position := ""
	switch {
	case m.text.AtTop() && m.text.AtBottom():
	case m.text.AtBottom():
		position = " end ↑ "
	default:
		position = fmt.Sprintf(" %d%% ↓ ", int(m.text.ScrollPercent()*100))
	}
	return m.paint(dim, strings.Repeat("─", max(0, m.width-lipgloss.Width(position)-2))+position+"──")
}

// status shows the number of finished tasks and the cluster.
func (m *model) status() string {
	done, all := 0, m.tutor.Tasks()
	for _, task := range all {
		if task.Status == tutor.Done {
			done++
		}
	}
	left := fmt.Sprintf(" %d of %d tasks done", done, len(all))
	if m.beside() && !m.text.AtBottom() {
		left = fmt.Sprintf(" %d%% ↓ %s", int(m.text.ScrollPercent()*100), left)
	}
	return m.paint(dim, m.spread(left, clip(m.where()+" ", max(0, m.width-lipgloss.Width(left)-1))))
}

// keys shows the keys that work now, the most useful first.
func (m *model) keys() string {
	keys := []string{"enter next", "b back", "h hint", "s solve", "o why", "? help", "q quit", "k skip", "r reset", "↑↓ scroll"}
	switch {
	case m.tutor.Prompt() != nil:
		keys = []string{"y yes", "n no"}
	case m.overlay != noOverlay:
		keys = []string{"esc close", "↑↓ scroll", "q close"}
	case m.tutor.Broken():
		keys = append([]string{"R restore"}, keys...)
	case m.tutor.Quiz().Question != nil && m.onQuiz():
		keys = []string{"1-9 answer", "enter next", "b back", "? help", "q quit", "↑↓ scroll"}
	}
	line := ""
	for _, key := range keys {
		name, does, _ := strings.Cut(key, " ")
		next := " " + m.paint(bold, name) + " " + does + " "
		if lipgloss.Width(line)+lipgloss.Width(next) > m.width {
			break
		}
		line += next
	}
	return line
}

func (m *model) onQuiz() bool {
	page, _, _ := m.tutor.Page()
	return page.Kind == tutor.QuizPage
}

// clip cuts a text to a width and marks the cut.
func clip(s string, width int) string {
	if lipgloss.Width(s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && lipgloss.Width(string(runes))+1 > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
