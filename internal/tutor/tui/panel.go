package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

// style is how a piece of text is meant to look.
type style int

const (
	bold style = iota
	dim
	good
	bad
	ask
)

// paint gives text a style, as far as there are colors. Without them the signs before the text have to do.
func (m *model) paint(s style, text string) string {
	if text == "" {
		return ""
	}
	st := lipgloss.NewStyle()
	switch s {
	case bold:
		st = st.Bold(true)
	case dim:
		st = st.Faint(true)
	case good:
		st = st.Foreground(lipgloss.Green)
	case bad:
		st = st.Foreground(lipgloss.Red)
	case ask:
		st = st.Foreground(lipgloss.Yellow).Bold(true)
	}
	return st.Render(text)
}

// block is a text of the panel, wrapped to a width: the first line after sign, the others below the text.
func (m *model) block(width int, sign, text string, s style) []string {
	indent := lipgloss.Width(sign)
	var lines []string
	for paragraph := range strings.Lines(strings.TrimSpace(text)) {
		wrapped := lipgloss.Wrap(strings.TrimRight(paragraph, "\n"), max(8, width-indent-1), " ")
		for line := range strings.Lines(wrapped) {
			lines = append(lines, m.paint(s, sign+strings.TrimRight(line, " \n")))
			sign = strings.Repeat(" ", indent)
		}
	}
	return lines
}

// noticesShown is how many of the last notices are shown.
const noticesShown = 3

// panel returns what there is to say beside the lesson, the most urgent first.
func (m *model) panel(width int) []string {
	var lines []string
	t := m.tutor
	for _, trouble := range t.Trouble() {
		lines = append(lines, m.block(width, " ! ", trouble, bad)...)
	}
	if q := t.Asked(); q != nil {
		lines = append(lines, m.block(width, " ? ", q.Text+" (y/n)", ask)...)
	}
	if busy := t.Busy(); busy != "" {
		lines = append(lines, m.block(width, " … ", busy, ask)...)
	}
	if m.overlay != nothing && !m.beside() {
		return lines // the rest is what is being read
	}
	if titles := t.Elsewhere(); len(titles) > 0 && !m.beside() {
		text := fmt.Sprintf("Not done anymore, on earlier pages: %s. b goes back, k solves them.", strings.Join(titles, "; "))
		lines = append(lines, m.block(width, " ✗ ", text, bad)...)
	}
	lines = append(lines, m.tasks(width)...)
	if h := t.HintView(); h != nil {
		lines = append(lines, m.hint(width, h)...)
	}
	for _, line := range t.FileLines() {
		lines = append(lines, m.block(width, " ✎ ", line, bad)...)
	}
	if s, _, _ := t.Page(); len(s.Tasks) > 0 && t.Present() == "" && s.Kind == tutor.Reading && !t.Broken() {
		lines = append(lines, m.block(width, "   ", "All done here: enter goes on.", good)...)
	}
	return append(lines, m.notices(width)...)
}

// tasks lists the tasks: those of the screen or, where there is room, all.
func (m *model) tasks(width int) []string {
	var lines []string
	if m.beside() {
		lines = append(lines, m.paint(bold, " Tasks"))
	}
	for _, task := range m.tutor.Tasks() {
		if !task.Here && !m.beside() {
			continue
		}
		switch {
		case task.Status == tutor.Done:
			lines = append(lines, m.block(width, " ✓ ", task.Title, good)...)
		case task.Status == tutor.Regressed:
			lines = append(lines, m.block(width, " ✗ ", task.Title+" (was done)", bad)...)
		case task.Present:
			lines = append(lines, m.block(width, " ▸ ", task.Title, bold)...)
		case task.Here:
			lines = append(lines, m.block(width, " ○ ", task.Title, bold)...)
		default:
			lines = append(lines, m.block(width, " · ", task.Title, dim)...)
		}
		if task.Why != "" && (task.Present || task.Status == tutor.Regressed) && task.Here {
			lines = append(lines, m.block(width, "   now: ", task.Why, dim)...)
		}
	}
	return lines
}

func (m *model) hint(width int, h *tutor.HintView) []string {
	var lines []string
	if h.Stale {
		return m.block(width, "   ", "There was a hint; something has changed since: h looks again.", dim)
	}
	if h.Why != "" {
		lines = m.block(width, "   seen: ", h.Why, dim)
	}
	// The newest first: it is the one that is read.
	for i := len(h.Opened) - 1; i >= 0; i-- {
		s := ask
		if i < len(h.Opened)-1 {
			s = dim
		}
		lines = append(lines, m.block(width, " "+hintNumber(i, h.Tiers)+" ", h.Opened[i], s)...)
	}
	return lines
}

// notices are the last ones since the page was turned, but for what the panel says anyway.
func (m *model) notices(width int) []string {
	all := m.tutor.Notices()
	recent := all[max(m.news, len(all)-noticesShown):]
	var lines []string
	for i, n := range recent {
		if m.said(n) || i > 0 && recent[i-1].Text == n.Text || old(n, recent[i+1:]) {
			continue
		}
		lines = append(lines, m.block(width, " - ", n.Text, dim)...)
	}
	return lines
}

// old tells whether a later notice is about the same.
func old(n tutor.Notice, later []tutor.Notice) bool {
	return n.About != "" && slices.ContainsFunc(later, func(l tutor.Notice) bool { return l.About == n.About })
}

// said tells whether the panel says elsewhere what a notice does.
func (m *model) said(n tutor.Notice) bool {
	text := n.Text
	if n.About == tutor.AboutTrouble && m.tutor.Broken() || slices.Contains(m.tutor.FileLines(), text) {
		return true
	}
	for _, task := range m.tutor.Tasks() {
		if task.Here && strings.HasSuffix(text, task.Title) && strings.HasPrefix(text, "✓") {
			return true
		}
	}
	return strings.HasPrefix(text, "That is all on this screen")
}
