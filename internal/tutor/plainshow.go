package tutor

import (
	"fmt"
	"strings"
)

// show writes what has changed since it was called last.
func (p *plain) show() {
	t := p.tutor
	for _, n := range t.Notices()[p.notices:] {
		p.print("%s%s\n", map[Tone]string{Bad: "! "}[n.Tone], n.Text)
	}
	p.notices = len(t.Notices())
	if doing := t.Busy(); doing != p.doing {
		if p.doing = doing; doing != "" {
			p.print("%s\n", upperFirst(doing))
		}
	}
	if _, number, _ := t.Page(); number != p.shown {
		p.shown = number
		p.screen()
	}
	if q := t.Asked(); q != p.question {
		if p.question = q; q != nil {
			p.print("%s (yes or no)\n", q.Text)
		}
	}
	p.showHint()
	p.showQuiz()
}

func (p *plain) screen() {
	t := p.tutor
	screen, number, total := t.Page()
	p.print("\nLab %d, %s. Page %d of %d: %s\n\n", t.Lab().Number, t.Lab().Title, number, total, screen.Title)
	switch screen.Kind {
	case Reading:
		p.print("%s\n", strings.TrimSpace(screen.Text))
		p.tasks(true)
		p.print("\n")
	case Ending:
		p.print("%s\n", strings.TrimSpace(t.Summary()))
	}
}

// tasks lists the tasks, those of the screen or all.
func (p *plain) tasks(here bool) {
	title := "\nTasks:\n"
	for _, task := range p.tutor.Tasks() {
		if here && !task.Here {
			continue
		}
		p.print("%s%s\n", title, taskLine(task))
		title = ""
	}
}

// taskLine is a task without any drawing.
func taskLine(task TaskView) string {
	line := map[Status]string{Open: "to do: ", Done: "done: ", Regressed: "was done, is not anymore: "}[task.Status] + task.Title
	if task.Why != "" {
		line += " (now: " + task.Why + ")"
	}
	return line
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
		p.print("Seen: %s\n", h.Why)
	}
	p.print("Hint %d of %d: %s\n", n, h.Tiers, strings.TrimSpace(h.Opened[n-1]))
}

func (p *plain) showQuiz() {
	if s, _, _ := p.tutor.Page(); s.Kind != Asking {
		p.quiz = Quiz{}
		return
	}
	was, now := p.quiz, p.tutor.Quiz()
	p.quiz = now
	if now.Err != nil && was.Err == nil {
		p.print("! The cluster cannot be asked: %v\n", now.Err)
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
