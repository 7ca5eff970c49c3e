// Package lesson parses the text of a lab.
//
// A lesson is Markdown for people, and its console blocks are a script: commands with their real,
// recorded output.
//
//   - The text before the first "## " heading is the introduction. Each "## " heading starts a page.
//   - A line <!-- tasks: ID, ID --> right below the heading lists the tasks of the page.
//   - The commands of a ```console block are replayed. "$ " starts a command, which continues after a \ at the end of a line, or
//     up to the word of its <<WORD; all other lines are its output. A ```console skip block is only shown.
//   - A block ```yaml file=NAME is the new content of the student's file NAME; a replay writes it. The block is the whole file.
//   - <!-- play: COMMAND --> is replayed and not shown.
//
// Read lesson.go for the types and for ports, parse.go for the parser, and normalize.go for
// comparing outputs. Package replay runs the commands.
package lesson

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ingresslab/ingresslab/internal/cluster"
)

// Lesson is the text of one lab.
type Lesson struct {
	File  string // the file name that was passed to Parse
	Title string // the text of the "# " heading; empty if there is none
	Intro Page   // Intro is the text before the first page, without the title. It has no tasks.
	Pages []Page
}

// Page is a "## " heading with the text up to the next one.
type Page struct {
	Title    string   // the text of the heading; empty for the introduction
	Line     int      // the heading's line in the file, counted from 1
	Tasks    []string // the IDs of the page's tasks
	Markdown string   // the text to show: without the heading, the comments, and the flags of blocks
	Blocks   []Block
}

// Kind is the kind of a block.
type Kind int

// The kinds of blocks.
const (
	Prose   Kind = iota // Markdown text
	Console             // a list of commands and their outputs
	File                // the content of a student's file
	Code                // any other code
)

// Block is a part of a page.
type Block struct {
	Kind     Kind
	Line     int    // the block's first line in the file, counted from 1; of code, the fence
	Text     string // the prose, or the code between the fences
	Language string // the first word after the fence
	Name     string // the path of a File block in the workspace
	Skip     bool   // Skip marks a Console block that is shown but not replayed.
	Hidden   bool   // Hidden marks a Console block that is replayed but not shown.
	Indent   string // the indentation of a block in a list
	Commands []Command
}

// Command is one command of a Console block.
type Command struct {
	Text             string   // the input for the shell; it can have several lines
	Line, OutputLine int      // the first lines of the command and its output, counted from 1
	Output           []string // the recorded output: standard output and standard error
}

// PageOf returns the index of a task's page, or -1.
func (l *Lesson) PageOf(task string) int {
	return slices.IndexFunc(l.Pages, func(p Page) bool { return slices.Contains(p.Tasks, task) })
}

// All returns the introduction and the pages.
func (l *Lesson) All() []Page { return append([]Page{l.Intro}, l.Pages...) }

// Replayed reports whether a replay writes or runs the block.
func (b *Block) Replayed() bool { return b.Kind == File || b.Kind == Console && !b.Skip }

// Expected returns the recorded output with a final line break, or "".
func (c *Command) Expected() string {
	if len(c.Output) == 0 {
		return ""
	}
	return strings.Join(c.Output, "\n") + "\n"
}

// hostPort matches HOST:PORT in a text, if the host is this machine, below localhost, or a name for
// --resolve. It must not match the address of a pod or the name of a Service.
var hostPort = regexp.MustCompile(
	`(127\.0\.0\.1|\[::1\]|(?:[A-Za-z0-9*-]+\.)*localhost|(?:[A-Za-z0-9*-]+\.)+[A-Za-z]{2,})(:|\)? port )(\d{2,5})\b`)

// WithPorts replaces a lesson's ports (HTTP 8080, HTTPS 8443, status 18080) with a cluster's.
func WithPorts(text string, a cluster.Addresses) string { return replacePorts(text, ports(a)) }

// WithDefaultPorts is the inverse of WithPorts, for outputs.
func WithDefaultPorts(text string, a cluster.Addresses) string {
	back := map[string]string{}
	for lesson, own := range ports(a) {
		back[own] = lesson
	}
	return replacePorts(text, back)
}

// ports maps the ports of lessons to the ports of a cluster.
func ports(a cluster.Addresses) map[string]string {
	m := map[string]string{}
	for port, address := range map[int]string{
		cluster.DefaultHTTPPort: a.HTTP, cluster.DefaultHTTPSPort: a.HTTPS, cluster.DefaultStatusPort: a.Status,
	} {
		if _, own, err := net.SplitHostPort(address); err == nil {
			m[strconv.Itoa(port)] = own
		}
	}
	return m
}

func replacePorts(text string, ports map[string]string) string {
	return hostPort.ReplaceAllStringFunc(text, func(found string) string {
		m := hostPort.FindStringSubmatch(found)
		port, known := ports[m[3]]
		if !known || strings.HasSuffix(m[1], ".svc") || strings.HasSuffix(m[1], ".local") {
			return found
		}
		return m[1] + m[2] + port
	})
}
