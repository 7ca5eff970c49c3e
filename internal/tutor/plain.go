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

// Plain is the line-based front end for pipes, scripts, and screen readers. It reads one command a
// line and only appends to out. It returns when the student quits or the input ends, or with the
// cause of ctx's end.
func Plain(ctx context.Context, t *Tutor, h *Host, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &plain{tutor: t, host: h, out: out, events: make(chan Event), shownPage: -1}
	lines := make(chan string)
	go readLines(ctx, in, lines)
	if p.take(ctx, Begin) {
		return nil
	}
	changed := h.Changed
	for {
		if p.ready() && len(p.queue) > 0 {
			word := p.queue[0]
			p.queue = p.queue[1:]
			if p.run(ctx, word) {
				return nil
			}
			continue
		}
		if p.ended && len(p.queue) == 0 && p.ready() {
			h.RunNow(ctx, t, t.Update(time.Now(), Quit))
			return nil
		}
		select {
		case e := <-p.events:
			if p.event(ctx, e) {
				return nil
			}
		case line, open := <-lines:
			if open {
				p.queue = append(p.queue, line)
			} else {
				p.ended, lines = true, nil
			}
		case names, open := <-changed:
			if !open {
				changed = nil
			} else if p.take(ctx, FilesChanged{names}) {
				return nil
			}
		case <-ctx.Done():
			h.RunNow(ctx, t, t.Update(time.Now(), Quit))
			return context.Cause(ctx)
		}
	}
}

// readLines sends the lines of in and closes the channel at the end.
func readLines(ctx context.Context, in io.Reader, lines chan<- string) {
	defer close(lines)
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		select {
		case lines <- strings.TrimSpace(scanner.Text()):
		case <-ctx.Done():
			return
		}
	}
}

type plain struct {
	tutor   *Tutor
	host    *Host
	out     io.Writer
	events  chan Event
	queue   []string // commands that wait
	ended   bool     // the input has ended
	busy    int      // busy counts the running effects that the next command waits for.
	waiting bool     // the next command waits for the page's tasks
	behind  bool     // something changed since the latest poll

	shownPage      int // What the student has seen already
	notices        int
	prompt         *Prompt
	hint, busyText string
	quiz           Quiz
}

// ready reports whether the next command can run.
func (p *plain) ready() bool {
	known := p.tutor.Polled() || p.tutor.Broken()
	return known && !p.behind && p.busy == 0 && p.tutor.Busy() == "" && (!p.waiting || p.tutor.PageDone())
}

// event handles the result of an effect.
func (p *plain) event(ctx context.Context, e Event) (exit bool) {
	switch e.(type) {
	case Solved, Started, BroughtUp:
		p.busy--
		p.behind = true
	case Advised, Posed, Graded:
		p.busy--
	case Polled:
		p.behind = false
	}
	return p.take(ctx, e)
}

// take passes an event to the tutor and runs the effects.
func (p *plain) take(ctx context.Context, e Event) (exit bool) {
	return p.runEffects(ctx, p.tutor.Update(time.Now(), e))
}

func (p *plain) runEffects(ctx context.Context, effects []Effect) (exit bool) {
	effects, exit = p.host.RunNow(ctx, p.tutor, effects)
	defer p.show()
	if exit {
		return true
	}
	for _, effect := range effects {
		switch effect.(type) {
		case SolveTask, Start, Advise, Pose, Grade, BringUp:
			p.busy++ // the method event decrements it
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
	return false
}

func (p *plain) print(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format, args...) // fails if the reader of the pipe has exited
}

// words are the commands of Plain. Begin marks words that only affect the output.
var words = []struct {
	word, short, help string
	command           Command
}{
	{"next", "n", "go to the next page", Next},
	{"back", "b", "go to the previous page", Back},
	{"hint", "h", "show a hint for the current task; repeat for more", Hint},
	{"why", "o", "show the expected and the actual result of the current task", Begin},
	{"tasks", "t", "list the tasks of the lab and their status", Begin},
	{"text", "", "show this page again", Begin},
	{"solve", "s", "solve the current task", Solve},
	{"skip", "k", "solve all tasks up to this page, and go to the next page", Skip},
	{"reset", "r", "reset the lab and your files (asks for confirmation)", Reset},
	{"restore", "R", "restore what is missing", Restore},
	{"wait", "w", "wait until all tasks on this page are done", Begin},
	{"yes", "y", "confirm", Yes},
	{"no", "", "cancel", No},
	{"quit", "q", "quit; the lab keeps running, and your progress is saved", Quit},
	{"help", "?", "list the commands", Begin},
}

func (p *plain) run(ctx context.Context, word string) (exit bool) {
	p.waiting = false
	if n, err := strconv.Atoi(word); err == nil {
		return p.take(ctx, Choose(n-1))
	}
	if word == "" {
		return p.take(ctx, Next)
	}
	var known []string
	for _, w := range words {
		if known = append(known, w.word); word != w.word && word != w.short {
			continue
		}
		switch w.command {
		case Begin:
			p.showWord(w.word)
			return false
		case Solve, Skip:
			// Do not ask for confirmation: unlike a key, a word is not typed by mistake.
			effects := p.tutor.Update(time.Now(), w.command)
			if p.tutor.Prompt() == nil {
				return p.runEffects(ctx, effects)
			}
			return p.take(ctx, Yes)
		}
		return p.take(ctx, w.command)
	}
	if near := strictyaml.Nearest(word, known); near != "" {
		p.print("Unknown command %q; did you mean %q?\n", word, near)
	} else {
		p.print("Unknown command %q; help lists the commands.\n", word)
	}
	return false
}

// showWord runs a word that is not a Command.
func (p *plain) showWord(word string) {
	switch word {
	case "wait":
		p.waiting = true
	case "why":
		p.print("%s\n", strings.Join(p.tutor.Details(), "\n"))
	case "tasks":
		p.tasks(false)
	case "text":
		p.shownPage = -1
		p.show()
	case "help":
		for _, w := range words {
			p.print("%-8s %-2s %s\n", w.word, w.short, w.help)
		}
		p.print("A number answers the quiz.\n")
	}
}

// show writes what has changed since the latest call.
func (p *plain) show() {
	t := p.tutor
	for _, n := range t.Notices()[p.notices:] {
		p.print("%s%s\n", map[Tone]string{Bad: "! "}[n.Tone], n.Text)
	}
	p.notices = len(t.Notices())
	if busy := t.Busy(); busy != p.busyText {
		if p.busyText = busy; busy != "" {
			p.print("%s\n", upperFirst(busy))
		}
	}
	if _, number, _ := t.Page(); number != p.shownPage {
		p.shownPage = number
		p.page()
	}
	if q := t.Prompt(); q != p.prompt {
		if p.prompt = q; q != nil {
			p.print("%s (yes or no)\n", q.Text)
		}
	}
	p.showHint()
	p.showQuiz()
}

func (p *plain) page() {
	t := p.tutor
	page, number, total := t.Page()
	p.print("\nLab %d: %s. Page %d of %d: %s\n\n", t.Lab().Number, t.Lab().Title, number, total, page.Title)
	switch page.Kind {
	case LessonPage:
		p.print("%s\n", strings.TrimSpace(page.Text))
		p.tasks(true)
		p.print("\n")
	case SummaryPage:
		p.print("%s\n", strings.TrimSpace(t.Summary()))
	}
}

// tasks lists the tasks of the page, or all of them.
func (p *plain) tasks(here bool) {
	title := "\nTasks:\n"
	for _, task := range p.tutor.Tasks() {
		if here && !task.Here {
			continue
		}
		line := map[Status]string{Open: "to do: ", Done: "done: ", Regressed: "no longer done: "}[task.Status] + task.Title
		if task.Why != "" {
			line += " (now: " + task.Why + ")"
		}
		p.print("%s%s\n", title, line)
		title = ""
	}
}

func (p *plain) showHint() {
	h := p.tutor.HintView()
	if h == nil {
		p.hint = ""
		return
	}
	n := len(h.Opened)
	key := fmt.Sprint(h.Task, h.key, h.index, n)
	if key == p.hint {
		return
	}
	p.hint = key
	if h.Why != "" && n == 1 {
		p.print("Problem: %s\n", h.Why)
	}
	p.print("Hint %d of %d: %s\n", n, h.Levels, strings.TrimSpace(h.Opened[n-1]))
}

func (p *plain) showQuiz() {
	if page, _, _ := p.tutor.Page(); page.Kind != QuizPage {
		p.quiz = Quiz{}
		return
	}
	was, now := p.quiz, p.tutor.Quiz()
	p.quiz = now
	if now.Err != nil && was.Err == nil {
		p.print("! The quiz is not available: %v\n", now.Err)
	}
	if now.Question != nil && was.Question != now.Question {
		p.print("%s\n", strings.TrimSpace(now.Question.Text))
		for i, choice := range now.Question.Choices {
			p.print("  %d  %s\n", i+1, choice)
		}
	}
	if g := now.Grade; g != nil && g != was.Grade {
		for _, line := range GradeLines(*g) {
			p.print("%s\n", line)
		}
	}
}
