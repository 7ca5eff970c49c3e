package lesson

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

var (
	fenceLine   = regexp.MustCompile("^([ \t]*)(`{3,}|~{3,})[ \t]*([^`]*)$")
	tasksLine   = regexp.MustCompile(`^<!--\s*tasks:(.*?)-->\s*$`)
	playBegin   = regexp.MustCompile(`^\s*<!--\s*play:\s?(.*)$`)
	hereWord    = regexp.MustCompile(`(?:^|[^<])<<-?\s*['"]?(\w+)['"]?`) // not <<<, which gives one line
	commandMark = "$ "
)

// Parse reads a lesson's text, whose first line is firstLine in the file. It returns what it understood and everything that is
// wrong; the tasks are compared with those of the lab by [Lesson.CheckTasks].
func Parse(file, text string, firstLine int) (*Lesson, strictyaml.Diagnostics) {
	p := &parser{
		lesson: &Lesson{File: file, Intro: Screen{Line: firstLine}},
		lines:  strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"),
		offset: firstLine,
	}
	p.screen = &p.lesson.Intro
	for p.at < len(p.lines) {
		p.next()
	}
	p.endScreen()
	if len(p.lesson.Screens) == 0 {
		p.fault(firstLine, "the lesson has no screens: each begins with a heading of two #")
	}
	return p.lesson, p.faults
}

// CheckTasks returns what is wrong with the tasks that the screens name: each of the lab's is on exactly one screen.
func (l *Lesson) CheckTasks(tasks []string) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	fault := func(line int, suggestion, format string, args ...any) {
		faults = append(faults, strictyaml.Diagnostic{
			File: l.File, Position: strictyaml.Position{Line: line}, Message: fmt.Sprintf(format, args...), Suggestion: suggestion,
		})
	}
	seen := map[string]int{}
	for _, s := range l.Screens {
		for _, task := range s.Tasks {
			first, twice := seen[task]
			switch {
			case !slices.Contains(tasks, task):
				fault(s.Line, strictyaml.Nearest(task, tasks), "screen %q: the lab has no task %q", s.Title, task)
			case twice:
				fault(s.Line, "", "screen %q: task %q is on another screen, too (line %d)", s.Title, task, first)
			}
			if !twice {
				seen[task] = s.Line
			}
		}
	}
	for _, task := range tasks {
		if _, there := seen[task]; !there && len(l.Screens) > 0 {
			fault(l.Screens[0].Line, "", "task %q is on no screen: name it in a line <!-- tasks: %s --> right under a heading", task, task)
		}
	}
	return faults
}

// parser goes through the lines once.
type parser struct {
	lesson *Lesson
	lines  []string
	offset int // the line in the file of lines[0]
	at     int
	screen *Screen
	faults strictyaml.Diagnostics

	shown []string // of the screen
	prose []string // of the block
	begun int      // the line in the file of prose[0]
}

// line is where the parser is, in the file.
func (p *parser) line() int { return p.offset + p.at }

func (p *parser) fault(line int, format string, args ...any) {
	p.faults = append(p.faults, strictyaml.Diagnostic{
		File: p.lesson.File, Position: strictyaml.Position{Line: line}, Message: fmt.Sprintf(format, args...),
	})
}

// next takes what begins in the present line.
func (p *parser) next() {
	line := p.lines[p.at]
	switch {
	case fenceLine.MatchString(line):
		p.fence()
	case strings.HasPrefix(line, "## "):
		p.endScreen()
		p.lesson.Screens = append(p.lesson.Screens, Screen{Title: strings.TrimSpace(line[3:]), Line: p.line()})
		p.screen = &p.lesson.Screens[len(p.lesson.Screens)-1]
		p.at++
	case strings.HasPrefix(line, "# ") && p.screen == &p.lesson.Intro && p.lesson.Title == "":
		p.lesson.Title = strings.TrimSpace(line[2:])
		p.at++
	case tasksLine.MatchString(line):
		p.tasks(tasksLine.FindStringSubmatch(line)[1])
	case playBegin.MatchString(line):
		p.play()
	default:
		p.show(line)
	}
}

// show takes a line of prose.
func (p *parser) show(line string) {
	if len(p.prose) == 0 {
		p.begun = p.line()
	}
	p.prose, p.shown = append(p.prose, line), append(p.shown, line)
	p.at++
}

func (p *parser) endProse() {
	text := strings.Trim(strings.Join(p.prose, "\n"), "\n")
	for len(p.prose) > 0 && strings.TrimSpace(p.prose[0]) == "" {
		p.prose = p.prose[1:]
		p.begun++
	}
	if strings.TrimSpace(text) != "" {
		p.screen.Blocks = append(p.screen.Blocks, Block{Kind: Prose, Line: p.begun, Text: text})
	}
	p.prose = nil
}

var blankLines = regexp.MustCompile(`\n{3,}`)

func (p *parser) endScreen() {
	p.endProse()
	p.screen.Markdown = blankLines.ReplaceAllString(strings.Trim(strings.Join(p.shown, "\n"), "\n"), "\n\n")
	if p.screen.Markdown != "" {
		p.screen.Markdown += "\n"
	}
	p.shown = nil
}

// tasks takes the line that says which tasks a screen has.
func (p *parser) tasks(list string) {
	defer func() { p.at++ }()
	switch {
	case p.screen == &p.lesson.Intro:
		p.fault(p.line(), "tasks are done on screens, which begin with a heading of two #: the introduction has none")
		return
	case p.screen.Tasks != nil:
		p.fault(p.line(), "screen %q has its tasks already: one line names them all", p.screen.Title)
		return
	case strings.TrimSpace(strings.Join(p.shown, "")) != "":
		p.fault(p.line(), "the tasks stand right under the heading (line %d)", p.screen.Line)
	}
	for _, task := range strings.Split(list, ",") {
		if task = strings.TrimSpace(task); task == "" {
			p.fault(p.line(), "the list of tasks has an empty entry: ids with commas between them are expected")
			continue
		}
		p.screen.Tasks = append(p.screen.Tasks, task)
	}
}

// play takes a command that is not shown.
func (p *parser) play() {
	p.endProse()
	begin := p.line()
	text := playBegin.FindStringSubmatch(p.lines[p.at])[1]
	for !strings.Contains(text, "-->") {
		p.at++
		if p.at >= len(p.lines) {
			p.fault(begin, "the comment has no end: --> is missing")
			return
		}
		text += "\n" + p.lines[p.at]
	}
	p.at++
	text, rest, _ := strings.Cut(text, "-->")
	if strings.TrimSpace(rest) != "" {
		p.fault(begin, "nothing may follow the comment in its line: %q does", strings.TrimSpace(rest))
	}
	if text = strings.TrimSpace(text); text == "" {
		p.fault(begin, "there is no command to play")
		return
	}
	p.screen.Blocks = append(p.screen.Blocks, Block{
		Kind: Console, Hidden: true, Line: begin, Text: text, Commands: []Command{{Text: text, Line: begin, OutputLine: p.line()}},
	})
}

// fence takes a block of code.
func (p *parser) fence() {
	p.endProse()
	m := fenceLine.FindStringSubmatch(p.lines[p.at])
	b := Block{Kind: Code, Line: p.line(), Indent: m[1]}
	end := p.at + 1
	for end < len(p.lines) && !closes(p.lines[end], m[2]) {
		end++
	}
	if end == len(p.lines) {
		p.fault(b.Line, "the block has no end: a line %s is missing", m[2])
	}
	var body []string
	for _, line := range p.lines[p.at+1 : end] {
		body = append(body, strings.TrimPrefix(line, b.Indent))
	}
	if len(body) > 0 {
		b.Text = strings.Join(body, "\n") + "\n"
	}
	p.flags(&b, strings.Fields(m[3]))
	p.shown = append(p.shown, b.Indent+m[2]+b.Language)
	p.shown = append(p.shown, p.lines[p.at+1:end]...)
	p.shown = append(p.shown, b.Indent+m[2])
	p.at = min(end+1, len(p.lines))
	if b.Kind == Console {
		p.commands(&b, body)
	}
	p.screen.Blocks = append(p.screen.Blocks, b)
}

// closes says whether a line ends the block that begins with a fence.
func closes(line, fence string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, fence) && strings.Trim(line, fence[:1]) == ""
}

// flags takes what follows the fence: the language, and what the player is to make of the block.
func (p *parser) flags(b *Block, words []string) {
	if len(words) == 0 {
		return
	}
	b.Language = words[0]
	if b.Language == "console" {
		b.Kind = Console
	}
	for _, word := range words[1:] {
		name, isFile := strings.CutPrefix(word, "file=")
		switch {
		case isFile && b.Kind == Console:
			p.fault(b.Line, "a console block is played: it cannot be the file %q, too", name)
		case isFile && (name == "" || !filepath.IsLocal(name)):
			p.fault(b.Line, "file=%s: a file of the workspace is expected, such as file=ingress.yaml", name)
		case isFile:
			b.Kind, b.Name = File, name
		case word == "skip" && b.Kind == Console:
			b.Skip = true
		default:
			f := strictyaml.Diagnostic{
				File: p.lesson.File, Position: strictyaml.Position{Line: b.Line},
				Message:    fmt.Sprintf("unknown flag %q of a block: console has skip, others have file=NAME", word),
				Suggestion: strictyaml.Nearest(word, []string{"skip"}),
			}
			p.faults = append(p.faults, f)
		}
	}
}

// commands parts the body of a console block into commands and outputs.
func (p *parser) commands(b *Block, body []string) {
	for i := 0; i < len(body); i++ {
		text, isCommand := strings.CutPrefix(body[i], commandMark)
		line := b.Line + 1 + i
		if !isCommand {
			if len(b.Commands) == 0 {
				p.fault(line, "a console block begins with a command: %q has no \"$ \" before it", body[i])
				return
			}
			c := &b.Commands[len(b.Commands)-1]
			c.Output = append(c.Output, body[i])
			continue
		}
		end := commandEnd(body, i)
		for _, more := range body[i+1 : end] {
			text += "\n" + more
		}
		i = end - 1
		if strings.TrimSpace(text) == "" {
			p.fault(line, "there is no command behind the \"$ \"")
			continue
		}
		b.Commands = append(b.Commands, Command{Text: text, Line: line, OutputLine: b.Line + 1 + end})
	}
	if len(b.Commands) == 0 && !b.Skip {
		p.fault(b.Line, "the console block has no command: \"$ \" begins one")
	}
}

// commandEnd returns the index behind the last line of the command that begins in body[i].
func commandEnd(body []string, i int) int {
	for strings.HasSuffix(body[i], `\`) && i+1 < len(body) {
		i++
	}
	if m := hereWord.FindStringSubmatch(body[i]); m != nil {
		for end := i + 1; end < len(body); end++ {
			if strings.TrimSpace(body[end]) == m[1] {
				return end + 1
			}
		}
	}
	return i + 1
}
