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
	hiddenBegin = regexp.MustCompile(`^\s*<!--\s*play:\s?(.*)$`)
	hereWord    = regexp.MustCompile(`(?:^|[^<])<<-?\s*['"]?(\w+)['"]?`) // but not <<<, a here-string of one line
	blankLines  = regexp.MustCompile(`\n{3,}`)
)

// Parse parses a lesson whose first line is firstLine in the file. It returns the valid parts and
// all faults. [Lesson.CheckTasks] compares the tasks with those of the lab.
func Parse(file, text string, firstLine int) (*Lesson, strictyaml.Diagnostics) {
	p := &parser{
		lesson: &Lesson{File: file, Intro: Page{Line: firstLine}},
		lines:  strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n"),
		offset: firstLine,
	}
	p.page = &p.lesson.Intro
	for p.at < len(p.lines) {
		p.next()
	}
	p.endPage()
	if len(p.lesson.Pages) == 0 {
		p.fault(firstLine, "the lesson has no pages; start each page with a ## heading")
	}
	return p.lesson, p.faults
}

// CheckTasks checks that each task of the lab is on exactly one page.
func (l *Lesson) CheckTasks(tasks []string) strictyaml.Diagnostics {
	var faults strictyaml.Diagnostics
	fault := func(line int, suggestion, format string, args ...any) {
		faults = append(faults, strictyaml.Diagnostic{
			File: l.File, Position: strictyaml.Position{Line: line}, Message: fmt.Sprintf(format, args...), Suggestion: suggestion,
		})
	}
	seen := map[string]int{}
	for _, p := range l.Pages {
		for _, task := range p.Tasks {
			first, twice := seen[task]
			switch {
			case !slices.Contains(tasks, task):
				fault(p.Line, strictyaml.Nearest(task, tasks), "page %q: the lab has no task %q", p.Title, task)
			case twice:
				fault(p.Line, "", "page %q: task %q is also on another page (line %d)", p.Title, task, first)
			}
			if !twice {
				seen[task] = p.Line
			}
		}
	}
	for _, task := range tasks {
		if _, found := seen[task]; !found && len(l.Pages) > 0 {
			fault(l.Pages[0].Line, "", "task %q is on no page; add a line <!-- tasks: %s --> below a heading", task, task)
		}
	}
	return faults
}

// parser parses the lines in one pass.
type parser struct {
	lesson *Lesson
	lines  []string
	offset int // the line of lines[0] in the file
	at     int // the current index in lines
	page   *Page
	faults strictyaml.Diagnostics

	shown []string // the lines of the page's Markdown
	prose []string // the lines of the current Prose block
	begun int      // the line of prose[0] in the file
}

func (p *parser) line() int { return p.offset + p.at }

func (p *parser) fault(line int, format string, args ...any) {
	p.faults = append(p.faults, strictyaml.Diagnostic{
		File: p.lesson.File, Position: strictyaml.Position{Line: line}, Message: fmt.Sprintf(format, args...),
	})
}

// next parses the part that starts in the current line.
func (p *parser) next() {
	line := p.lines[p.at]
	switch {
	case fenceLine.MatchString(line):
		p.fence()
	case strings.HasPrefix(line, "## "):
		p.endPage()
		p.lesson.Pages = append(p.lesson.Pages, Page{Title: strings.TrimSpace(line[3:]), Line: p.line()})
		p.page = &p.lesson.Pages[len(p.lesson.Pages)-1]
		p.at++
	case strings.HasPrefix(line, "# ") && p.page == &p.lesson.Intro && p.lesson.Title == "":
		p.lesson.Title = strings.TrimSpace(line[2:])
		p.at++
	case tasksLine.MatchString(line):
		p.tasks(tasksLine.FindStringSubmatch(line)[1])
	case hiddenBegin.MatchString(line):
		p.hidden()
	default:
		if len(p.prose) == 0 {
			p.begun = p.line()
		}
		p.prose, p.shown = append(p.prose, line), append(p.shown, line)
		p.at++
	}
}

func (p *parser) endProse() {
	text := strings.Trim(strings.Join(p.prose, "\n"), "\n")
	for len(p.prose) > 0 && strings.TrimSpace(p.prose[0]) == "" {
		p.prose = p.prose[1:]
		p.begun++
	}
	if strings.TrimSpace(text) != "" {
		p.page.Blocks = append(p.page.Blocks, Block{Kind: Prose, Line: p.begun, Text: text})
	}
	p.prose = nil
}

func (p *parser) endPage() {
	p.endProse()
	p.page.Markdown = blankLines.ReplaceAllString(strings.Trim(strings.Join(p.shown, "\n"), "\n"), "\n\n")
	if p.page.Markdown != "" {
		p.page.Markdown += "\n"
	}
	p.shown = nil
}

func (p *parser) tasks(list string) {
	defer func() { p.at++ }()
	switch {
	case p.page == &p.lesson.Intro:
		p.fault(p.line(), "the introduction cannot have tasks; move them below a ## heading")
		return
	case p.page.Tasks != nil:
		p.fault(p.line(), "page %q already has a list of tasks; put all tasks in one list", p.page.Title)
		return
	case strings.TrimSpace(strings.Join(p.shown, "")) != "":
		p.fault(p.line(), "the list of tasks must be right below the heading (line %d)", p.page.Line)
	}
	for _, task := range strings.Split(list, ",") {
		if task = strings.TrimSpace(task); task == "" {
			p.fault(p.line(), "the list of tasks has an empty entry; separate IDs with commas")
			continue
		}
		p.page.Tasks = append(p.page.Tasks, task)
	}
}

// hidden parses a command that is not shown.
func (p *parser) hidden() {
	p.endProse()
	begin := p.line()
	text := hiddenBegin.FindStringSubmatch(p.lines[p.at])[1]
	for !strings.Contains(text, "-->") {
		p.at++
		if p.at >= len(p.lines) {
			p.fault(begin, "the comment has no end; add -->")
			return
		}
		text += "\n" + p.lines[p.at]
	}
	p.at++
	text, rest, _ := strings.Cut(text, "-->")
	if rest = strings.TrimSpace(rest); rest != "" {
		p.fault(begin, "unexpected text %q after the comment; move it to its own line", rest)
	}
	if text = strings.TrimSpace(text); text == "" {
		p.fault(begin, "the comment has no command")
		return
	}
	p.page.Blocks = append(p.page.Blocks, Block{
		Kind: Console, Hidden: true, Line: begin, Text: text, Commands: []Command{{Text: text, Line: begin, OutputLine: p.line()}},
	})
}

func (p *parser) fence() {
	p.endProse()
	m := fenceLine.FindStringSubmatch(p.lines[p.at])
	b := Block{Kind: Code, Line: p.line(), Indent: m[1]}
	end := p.at + 1
	for end < len(p.lines) && !closes(p.lines[end], m[2]) {
		end++
	}
	if end == len(p.lines) {
		p.fault(b.Line, "the block has no end; add a line %s", m[2])
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
	p.page.Blocks = append(p.page.Blocks, b)
}

// closes reports whether a line closes a fence.
func closes(line, fence string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, fence) && strings.Trim(line, fence[:1]) == ""
}

// flags parses the words after a fence: the language and the flags.
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
			p.fault(b.Line, "a console block cannot be a file (%q)", name)
		case isFile && (name == "" || !filepath.IsLocal(name)):
			p.fault(b.Line, "file=%s: not a path in the workspace, such as file=ingress.yaml", name)
		case isFile:
			b.Kind, b.Name = File, name
		case word == "skip" && b.Kind == Console:
			b.Skip = true
		default:
			p.fault(b.Line, "unknown flag %q; use skip for console blocks, and file=NAME for others", word)
			p.faults[len(p.faults)-1].Suggestion = strictyaml.Nearest(word, []string{"skip"})
		}
	}
}

// commands splits the body of a console block into commands and outputs.
func (p *parser) commands(b *Block, body []string) {
	for i := 0; i < len(body); i++ {
		text, isCommand := strings.CutPrefix(body[i], "$ ")
		line := b.Line + 1 + i
		if !isCommand {
			if len(b.Commands) == 0 {
				p.fault(line, "a console block starts with a command; put \"$ \" before %q", body[i])
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
			p.fault(line, "no command after \"$ \"")
			continue
		}
		b.Commands = append(b.Commands, Command{Text: text, Line: line, OutputLine: b.Line + 1 + end})
	}
	if len(b.Commands) == 0 && !b.Skip {
		p.fault(b.Line, "the console block has no command; start one with \"$ \"")
	}
}

// commandEnd returns the index after the last line of the command that starts in body[i].
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
