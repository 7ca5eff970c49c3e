package tutor

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Plain shows a Tutor as lines and takes commands as words, a line each: for pipes, scripts and screen readers. Nothing that
// was written is ever changed. It returns when the student quits or the words end, and with ctx's error when ctx ends.
func Plain(ctx context.Context, t *Tutor, h *Host, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &plain{tutor: t, host: h, out: out, events: make(chan Event), shown: -1}
	words := make(chan string)
	go readWords(ctx, in, words)
	if p.take(ctx, Begin) {
		return nil
	}
	changed := h.Changed
	for {
		if p.ready() && len(p.queue) > 0 {
			word := p.queue[0]
			p.queue = p.queue[1:]
			if p.word(ctx, word) {
				return nil
			}
			continue
		}
		if p.ended && len(p.queue) == 0 && p.ready() {
			h.Keep(ctx, t, t.Update(time.Now(), Quit))
			return nil
		}
		select {
		case e := <-p.events:
			if p.event(ctx, e) {
				return nil
			}
		case word, open := <-words:
			if p.queue = append(p.queue, word); !open {
				p.queue, p.ended, words = p.queue[:len(p.queue)-1], true, nil
			}
		case names, open := <-changed:
			if !open {
				changed = nil
			} else if p.take(ctx, FilesChanged{names}) {
				return nil
			}
		case <-ctx.Done():
			h.Keep(ctx, t, t.Update(time.Now(), Quit))
			return context.Cause(ctx)
		}
	}
}

// readWords sends the lines of in, and closes words at its end.
func readWords(ctx context.Context, in io.Reader, words chan<- string) {
	defer close(words)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		select {
		case words <- strings.TrimSpace(lines.Text()):
		case <-ctx.Done():
			return
		}
	}
}

type plain struct {
	tutor  *Tutor
	host   *Host
	out    io.Writer
	events chan Event
	queue  []string // words that have come, and wait
	ended  bool     // no more will
	// busy is how many effects are under way that the next word has to wait for.
	busy    int
	waiting bool // for the tasks of the screen
	behind  bool // something was changed, and has not been looked at

	// What has been shown.
	shown    int // the screen
	notices  int
	question *Question
	hint     string
	doing    string
	quiz     Quiz
}

// ready tells whether the next word may be looked at.
func (p *plain) ready() bool {
	known := p.tutor.Polled() || p.tutor.Broken()
	return known && !p.behind && p.busy == 0 && p.tutor.Busy() == "" && (!p.waiting || p.tutor.ScreenDone())
}

// foreground tells whether a student waits for what comes of an effect.
func foreground(e Effect) bool {
	switch e.(type) {
	case SolveTask, Start, Advise, Pose, Grade, BringUp:
		return true
	}
	return false
}

// answers tells whether an event came of an effect in the foreground.
func answers(e Event) bool {
	switch e.(type) {
	case Solved, Started, Advised, Posed, Graded, BroughtUp:
		return true
	}
	return false
}

func (p *plain) event(ctx context.Context, e Event) (leave bool) {
	if answers(e) {
		p.busy--
	}
	switch e.(type) {
	case Solved, Started, BroughtUp:
		p.behind = true
	case Polled:
		p.behind = false
	}
	return p.take(ctx, e)
}

// take gives the tutor an event, does what it wants and shows what has changed.
func (p *plain) take(ctx context.Context, e Event) (leave bool) {
	return p.carryOut(ctx, p.tutor.Update(time.Now(), e))
}

func (p *plain) carryOut(ctx context.Context, effects []Effect) (leave bool) {
	effects, leave = p.host.Keep(ctx, p.tutor, effects)
	if leave {
		p.show()
		return true
	}
	for _, effect := range effects {
		if foreground(effect) {
			p.busy++
		}
		go func() {
			if e := p.host.Do(ctx, effect); e != nil {
				select {
				case p.events <- e:
				case <-ctx.Done():
				}
			}
		}()
	}
	p.show()
	return false
}

func (p *plain) print(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format, args...) // who reads may have stopped: then nobody is left to be told
}

// words are what can be said, each with what it does.
var words = []struct{ word, short, does string }{
	{"next", "n", "go to the next screen"},
	{"back", "b", "go back a screen"},
	{"hint", "h", "a hint for the task to do now; again for the next one"},
	{"why", "o", "what was expected of that task and what was seen, in full"},
	{"tasks", "t", "the tasks of the lab, and which are done"},
	{"text", "", "this screen again"},
	{"solve", "s", "solve the task to do now"},
	{"skip", "k", "solve all tasks up to those of this screen, and go on"},
	{"reset", "r", "put the lab and your files back to the start (asks first)"},
	{"restore", "R", "bring back what is gone"},
	{"wait", "w", "take the next word when all tasks of this screen are done"},
	{"quit", "q", "end; the lab keeps running, and your progress is kept"},
	{"help", "?", "this list"},
}

// word does what a word says.
func (p *plain) word(ctx context.Context, word string) (leave bool) {
	p.waiting = false
	if n, err := strconv.Atoi(word); err == nil {
		return p.take(ctx, Choose(n-1))
	}
	switch word {
	case "next", "n", "":
		return p.take(ctx, Next)
	case "back", "b":
		return p.take(ctx, Back)
	case "hint", "h":
		return p.take(ctx, Hint)
	case "solve", "s":
		return p.confirmed(ctx, Solve)
	case "skip", "k":
		return p.confirmed(ctx, Skip)
	case "reset", "r":
		return p.take(ctx, Reset)
	case "restore", "R":
		return p.take(ctx, Restore)
	case "yes", "y":
		return p.take(ctx, Yes)
	case "no":
		return p.take(ctx, No)
	case "quit", "q":
		return p.take(ctx, Quit)
	case "wait", "w":
		p.waiting = true
	default:
		p.look(word)
	}
	return false
}

// look does the words that only show something.
func (p *plain) look(word string) {
	switch word {
	case "why", "o":
		p.print("%s\n", strings.Join(p.tutor.Details(), "\n"))
	case "tasks", "t":
		p.tasks(false)
	case "text":
		p.shown = -1
		p.show()
	case "help", "?":
		for _, w := range words {
			p.print("%-8s %-2s %s\n", w.word, w.short, w.does)
		}
		p.print("A number answers the question at the end.\n")
	default:
		var known []string
		for _, w := range words {
			known = append(known, w.word)
		}
		if near := strictyaml.Nearest(word, known); near != "" {
			p.print("Unknown word %q; did you mean %q?\n", word, near)
		} else {
			p.print("Unknown word %q; help lists them.\n", word)
		}
	}
}

// confirmed does what would be asked about on a terminal, where a single key is soon hit: a whole word is meant.
func (p *plain) confirmed(ctx context.Context, c Command) (leave bool) {
	effects := p.tutor.Update(time.Now(), c)
	if p.tutor.Asked() == nil {
		return p.carryOut(ctx, effects)
	}
	return p.take(ctx, Yes)
}
