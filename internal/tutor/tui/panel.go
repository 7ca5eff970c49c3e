package tui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

// style is the style of a text.
type style int

const (
	bold style = iota
	dim
	good
	bad
	ask
)

// paint styles a text. On terminals without colors, the signs before the text carry the meaning.
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

// lines collects the lines of the panel.
type lines struct {
	*model
	width int
	all   []string
}

// add adds a text, wrapped to the width, with a sign before its first line.
func (l *lines) add(s style, sign, text string) {
	indent := lipgloss.Width(sign)
	for paragraph := range strings.Lines(strings.TrimSpace(text)) {
		wrapped := lipgloss.Wrap(strings.TrimRight(paragraph, "\n"), max(8, l.width-indent-1), " ")
		for line := range strings.Lines(wrapped) {
			l.all = append(l.all, l.paint(s, sign+strings.TrimRight(line, " \n")))
			sign = strings.Repeat(" ", indent)
		}
	}
}

// panel returns the lines of the panel, the most urgent first.
func (m *model) panel(width int) []string {
	l := &lines{model: m, width: width}
	t := m.tutor
	for _, problem := range t.Problems() {
		l.add(bad, " ! ", problem)
	}
	if q := t.Prompt(); q != nil {
		l.add(ask, " ? ", q.Text+" (y/n)")
	}
	l.add(ask, " … ", t.Busy())
	if m.overlay != noOverlay && !m.beside() {
		return l.all // leave the room to the overlay
	}
	if titles := t.RegressedEarlier(); len(titles) > 0 && !m.beside() {
		l.add(bad, " ✗ ", fmt.Sprintf("No longer done, on earlier pages: %s. Press b to go back, or k to solve them.",
			strings.Join(titles, "; ")))
	}
	l.tasks()
	if h := t.HintView(); h != nil {
		l.hint(h)
	}
	for _, line := range t.FileLines() {
		l.add(bad, " ✎ ", line)
	}
	if page, _, _ := t.Page(); len(page.Tasks) > 0 && t.Present() == "" && page.Kind == tutor.LessonPage && !t.Broken() {
		l.add(good, "   ", tutor.PageDoneText+" Press enter for the next page.")
	}
	l.notices()
	return l.all
}

// tasks adds the tasks of the page, or all tasks if the panel is beside the lesson.
func (l *lines) tasks() {
	if l.beside() {
		l.add(bold, " ", "Tasks")
	}
	for _, task := range l.tutor.Tasks() {
		if !task.Here && !l.beside() {
			continue
		}
		switch {
		case task.Status == tutor.Done:
			l.add(good, " ✓ ", task.Title)
		case task.Status == tutor.Regressed:
			l.add(bad, " ✗ ", task.Title+" (no longer done)")
		case task.Present:
			l.add(bold, " ▸ ", task.Title)
		case task.Here:
			l.add(bold, " ○ ", task.Title)
		default:
			l.add(dim, " · ", task.Title)
		}
		if (task.Present || task.Status == tutor.Regressed) && task.Here {
			l.add(dim, "   now: ", task.Why)
		}
	}
}

func (l *lines) hint(h *tutor.HintView) {
	if h.Stale {
		l.add(dim, "   ", "Something changed since the last hint. Press h for a new one.")
		return
	}
	l.add(dim, "   problem: ", h.Why)
	for i, s := len(h.Opened)-1, ask; i >= 0; i, s = i-1, dim { // the latest first
		l.add(s, fmt.Sprintf(" Hint %d/%d: ", i+1, h.Levels), h.Opened[i])
	}
}

const noticesShown = 3 // the maximum number of notices in the panel

// notices adds the page's latest notices, without repeating the rest of the panel.
func (l *lines) notices() {
	all := l.tutor.Notices()
	recent := all[max(l.news, len(all)-noticesShown):]
	for i, n := range recent {
		replaced := n.About != "" && slices.ContainsFunc(recent[i+1:], func(later tutor.Notice) bool { return later.About == n.About })
		if l.shows(n) || i > 0 && recent[i-1].Text == n.Text || replaced {
			continue
		}
		l.add(dim, " - ", n.Text)
	}
}

// shows reports whether a different part of the panel already shows the content of a notice.
func (m *model) shows(n tutor.Notice) bool {
	if n.About == tutor.AboutCluster && m.tutor.Broken() || slices.Contains(m.tutor.FileLines(), n.Text) {
		return true
	}
	for _, task := range m.tutor.Tasks() {
		if task.Here && strings.HasSuffix(n.Text, task.Title) && strings.HasPrefix(n.Text, "✓") {
			return true
		}
	}
	return n.Text == tutor.PageDoneText
}
