package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

const (
	// wide is from which width on the panel is beside the lesson, and not below.
	wide = 116
	// panelWidth is its width there.
	panelWidth = 44
	// textWidth is how wide text gets at most: longer lines are hard to read.
	textWidth = 100
	// smallest is the smallest terminal that anything fits in.
	smallestWidth, smallestHeight = 30, 10
	// frameHeight is what the header, the line above the panel, the status and the keys take.
	frameHeight = 4
)

// beside tells whether the panel is beside the lesson.
func (m *model) beside() bool { return m.width >= wide }

// layOut gives the lesson its place and renders it if need be.
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

// belowLines are the panel's lines below the lesson, of which there are at most so many that the lesson keeps a part.
func (m *model) belowLines() []string {
	lines := m.panel(m.width)
	most := max(3, (m.height-frameHeight)*11/20)
	if len(lines) > most {
		lines = append(lines[:most-1], m.paint(dim, "… o shows all of it"))
	}
	return lines
}

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.picture())
	v.AltScreen = true
	v.WindowTitle = fmt.Sprintf("ingresslab %d: %s", m.tutor.Lab().Number, m.tutor.Lab().Title)
	return v
}

func (m *model) picture() string {
	if m.width < smallestWidth || m.height < smallestHeight {
		return fmt.Sprintf("%dx%d is too small\nfor the tutor;\nq quits.", m.width, m.height)
	}
	body := m.text.View()
	rows := []string{m.header()}
	if m.beside() {
		lines := m.panel(panelWidth - 2)
		if most := m.text.Height(); len(lines) > most {
			lines = append(lines[:most-1], m.paint(dim, "… o shows all of it"))
		}
		bar := strings.TrimRight(strings.Repeat("│ \n", m.text.Height()), "\n")
		rows = append(rows, lipgloss.JoinHorizontal(lipgloss.Top, body, m.paint(dim, bar), strings.Join(lines, "\n")))
	} else {
		rows = append(rows, body, m.separator())
		rows = append(rows, m.belowLines()...)
	}
	return strings.Join(append(rows, m.status(), m.keys()), "\n")
}

// header says which lab and which screen this is.
func (m *model) header() string {
	screen, number, total := m.tutor.Page()
	left := fmt.Sprintf(" Lab %d  %s", m.tutor.Lab().Number, m.tutor.Lab().Title)
	what, count := screen.Title, fmt.Sprintf("  %d/%d ", number, total)
	switch m.overlay {
	case details:
		what, count = "expected and seen", " "
	case help:
		what, count = "keys", " "
	}
	// How far the lab is stays; the screen's title is cut first, for the text begins with it.
	if room := m.width - lipgloss.Width(left) - lipgloss.Width(count) - 1; lipgloss.Width(what) > room {
		what = clip(what, max(0, room))
	}
	if lipgloss.Width(what) < 4 {
		what, count = "", strings.TrimLeft(count, " ")
	}
	right := what + count
	left = clip(left, max(0, m.width-lipgloss.Width(right)-1))
	space := strings.Repeat(" ", max(1, m.width-lipgloss.Width(left)-lipgloss.Width(right)))
	return lipgloss.NewStyle().Reverse(true).Render(left + space + right)
}

// separator is the line between the lesson and the panel; it says how much of the lesson is not seen.
func (m *model) separator() string {
	text := ""
	switch {
	case m.text.AtTop() && m.text.AtBottom():
	case m.text.AtBottom():
		text = " end ↑ "
	default:
		text = fmt.Sprintf(" %d%% ↓ ", int(m.text.ScrollPercent()*100))
	}
	return m.paint(dim, strings.Repeat("─", max(0, m.width-lipgloss.Width(text)-2))+text+"──")
}

// status says which cluster this is, and how far the lab.
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
	right := m.where() + " "
	if lipgloss.Width(left)+lipgloss.Width(right)+1 > m.width {
		right = clip(right, max(0, m.width-lipgloss.Width(left)-1))
	}
	space := strings.Repeat(" ", max(1, m.width-lipgloss.Width(left)-lipgloss.Width(right)))
	return m.paint(dim, left+space+right)
}

// keys are what can be pressed now, the most useful first.
func (m *model) keys() string {
	keys := []string{"enter next", "b back", "h hint", "s solve", "o why", "? help", "q quit", "k skip", "r reset", "↑↓ scroll"}
	switch {
	case m.tutor.Asked() != nil:
		keys = []string{"y yes", "n no"}
	case m.overlay != nothing:
		keys = []string{"esc close", "↑↓ scroll", "q close"}
	case m.tutor.Broken():
		keys = append([]string{"R restore"}, keys...)
	case m.tutor.Quiz().Question != nil && m.asking():
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

// clip cuts a text to a width.
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
