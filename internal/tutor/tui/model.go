package tui

import (
	"context"
	"time"

	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

// model implements tea.Model. It is a pointer and changes in place.
type model struct {
	ctx   context.Context
	tutor *tutor.Tutor
	host  *tutor.Host
	where func() string

	width, height int
	light         bool // the terminal has a light background
	colorless     bool
	interrupted   bool
	overlay       overlay

	text     viewport.Model
	rendered string // the input of the latest rendering
	news     int    // the student has seen the notices before this index
	page     int
}

// overlay replaces the lesson.
type overlay int

const (
	noOverlay overlay = iota
	details
	help
)

// message is a tutor event in bubbletea.
type message struct{ tutor.Event }

// filesMessage reports changed files; awaitFiles gets the next one.
type filesMessage struct{ names []string }

func newModel(ctx context.Context, t *tutor.Tutor, h *tutor.Host, o Options) *model {
	m := &model{ctx: ctx, tutor: t, host: h, where: o.Where, width: 80, height: 24, text: viewport.New()}
	m.colorless = variable(o.Environment, "NO_COLOR") != "" || variable(o.Environment, "TERM") == "dumb"
	m.text.SoftWrap = true
	m.text.FillHeight = true
	return m
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd {
	cmds := []tea.Cmd{m.take(tutor.Begin), m.awaitFiles()}
	if !m.colorless {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	return tea.Batch(cmds...)
}

// redraw redraws the terminal after a resize. A frame of the old size can leave a scrolling region
// (DECSTBM) of the old height, in which the next frame would scroll.
var redraw = tea.Sequence(tea.Raw("\x1b[r"), tea.ClearScreen)

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		cmd = redraw
	case tea.BackgroundColorMsg:
		m.light = !msg.IsDark()
	case tea.KeyPressMsg:
		cmd = m.key(msg.String())
	case message:
		cmd = m.take(msg.Event)
	case filesMessage:
		cmd = tea.Batch(m.take(tutor.FilesChanged{Names: msg.names}), m.awaitFiles())
	}
	m.layOut()
	return m, cmd
}

// take passes an event to the tutor and runs the effects.
func (m *model) take(e tutor.Event) tea.Cmd {
	effects, exit := m.host.RunNow(m.ctx, m.tutor, m.tutor.Update(time.Now(), e))
	if exit {
		return tea.Quit
	}
	var cmds []tea.Cmd
	for _, effect := range effects {
		if _, ok := effect.(tutor.BringUp); ok {
			up := &bringUp{ctx: m.ctx, host: m.host}
			cmds = append(cmds, tea.Exec(up, func(error) tea.Msg { return asMessage(up.event) }))
			continue
		}
		cmds = append(cmds, func() tea.Msg { return asMessage(m.host.Do(m.ctx, effect)) })
	}
	if _, number, _ := m.tutor.Page(); number != m.page {
		m.page, m.news = number, len(m.tutor.Notices())
		m.text.GotoTop()
	}
	return tea.Batch(cmds...)
}

func asMessage(e tutor.Event) tea.Msg {
	if e == nil {
		return nil
	}
	return message{e}
}

func (m *model) awaitFiles() tea.Cmd {
	return func() tea.Msg {
		select {
		case names, open := <-m.host.Changed:
			if open {
				return filesMessage{names}
			}
		case <-m.ctx.Done():
		}
		return nil
	}
}

// commands maps keys to commands of the tutor.
var commands = map[string]tutor.Command{
	"enter": tutor.Next, "n": tutor.Next, "b": tutor.Back, "h": tutor.Hint, "s": tutor.Solve, "k": tutor.Skip,
	"r": tutor.Reset, "R": tutor.Restore, "q": tutor.Quit,
}

func (m *model) key(key string) tea.Cmd {
	if key == "ctrl+c" {
		m.interrupted = true
		return m.take(tutor.Quit)
	}
	if m.tutor.Prompt() != nil {
		switch key {
		case "y", "Y":
			return m.take(tutor.Yes)
		case "n", "N", "esc", "enter", "q":
			return m.take(tutor.No)
		}
	}
	if m.scroll(key) {
		return nil
	}
	switch closes := key == "esc" || key == "enter" || key == "q"; {
	case key == "?":
		m.toggle(help)
		return nil
	case key == "o":
		m.toggle(details)
		return nil
	case m.overlay != noOverlay && closes:
		m.toggle(m.overlay)
		return nil
	case len(key) == 1 && key[0] >= '1' && key[0] <= '9':
		m.news = len(m.tutor.Notices())
		return m.take(tutor.Choose(key[0] - '1'))
	}
	c, found := commands[key]
	if !found {
		return nil
	}
	m.news = len(m.tutor.Notices()) // a key means that the student has seen them
	// The details stay open for hints. Turning the page closes them.
	if m.overlay == help || m.overlay == details && (c == tutor.Next || c == tutor.Back) {
		m.toggle(m.overlay)
	}
	return m.take(c)
}

func (m *model) toggle(o overlay) {
	if m.overlay == o {
		o = noOverlay
	}
	m.overlay = o
	m.text.GotoTop()
}

// scroll scrolls the text if the key is for scrolling, and reports whether it is.
func (m *model) scroll(key string) bool {
	switch key {
	case "up":
		m.text.ScrollUp(1)
	case "down":
		m.text.ScrollDown(1)
	case "pgup", "ctrl+u":
		m.text.PageUp()
	case "pgdown", "ctrl+d", "space":
		m.text.PageDown()
	case "home", "g":
		m.text.GotoTop()
	case "end", "G":
		m.text.GotoBottom()
	default:
		return false
	}
	return true
}
