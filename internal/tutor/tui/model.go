package tui

import (
	"context"
	"time"

	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"

	"github.com/ingresslab/ingresslab/internal/tutor"
)

// model is what bubbletea runs. It is a pointer, and changes in place.
type model struct {
	ctx   context.Context
	tutor *tutor.Tutor
	host  *tutor.Host
	where func() string

	width, height int
	light         bool // the terminal's background is
	colorless     bool
	interrupted   bool
	overlay       overlay

	text   viewport.Model
	shown  string // what text was rendered from
	news   int    // notices before this one have been seen
	screen int
}

// overlay is what covers the lesson.
type overlay int

const (
	nothing overlay = iota
	details
	help
)

// message is an event of the tutor's on its way through bubbletea.
type message struct{ tutor.Event }

// filesMessage is a change of the student's files; there may be another.
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

// redraw draws everything anew after a change of the size. A picture of the old size that was on its way may have left the terminal
// with a scrolling region (DECSTBM) of the old height, in which the next one would scroll instead of going down.
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

// take gives the tutor an event and does what it wants.
func (m *model) take(e tutor.Event) tea.Cmd {
	effects, leave := m.host.Keep(m.ctx, m.tutor, m.tutor.Update(time.Now(), e))
	if leave {
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
	if _, number, _ := m.tutor.Page(); number != m.screen {
		m.screen, m.news = number, len(m.tutor.Notices())
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

// leave saves what there is to save when the program was ended from outside.
func (m *model) leave() {
	m.host.Keep(m.ctx, m.tutor, m.tutor.Update(time.Now(), tutor.Quit))
}

// commands are the keys that are commands of the tutor's.
var commands = map[string]tutor.Command{
	"enter": tutor.Next, "n": tutor.Next, "b": tutor.Back, "h": tutor.Hint, "s": tutor.Solve, "k": tutor.Skip,
	"r": tutor.Reset, "R": tutor.Restore, "q": tutor.Quit,
}

// key does what a key is for.
func (m *model) key(key string) tea.Cmd {
	if key == "ctrl+c" {
		m.interrupted = true
		return m.take(tutor.Quit)
	}
	if m.tutor.Asked() != nil {
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
	switch key {
	case "?":
		m.toggle(help)
		return nil
	case "o":
		m.toggle(details)
		return nil
	}
	if m.overlay != nothing && (key == "esc" || key == "enter" || key == "q") {
		m.toggle(m.overlay)
		return nil
	}
	if len(key) == 1 && key[0] >= '1' && key[0] <= '9' {
		m.news = len(m.tutor.Notices())
		return m.take(tutor.Choose(key[0] - '1'))
	}
	if c, found := commands[key]; found {
		m.news = len(m.tutor.Notices()) // they have been seen
		// The details stay open beside a hint; a page that is turned is to be seen.
		if m.overlay == help || m.overlay == details && (c == tutor.Next || c == tutor.Back) {
			m.toggle(m.overlay)
		}
		return m.take(c)
	}
	return nil
}

func (m *model) toggle(o overlay) {
	if m.overlay == o {
		o = nothing
	}
	m.overlay = o
	m.text.GotoTop()
}

// scroll moves the text if the key is for that.
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
