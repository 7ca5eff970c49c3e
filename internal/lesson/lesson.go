package lesson

import "strings"

// Lesson is the text of one lab, in the parts that it is shown and played in.
type Lesson struct {
	// File is the file's name, as it was given to Parse.
	File string
	// Title is the text of the "# " heading; empty if there is none.
	Title string
	// Intro is what comes before the first screen, without the title. It has no tasks.
	Intro Screen
	// Screens are the steps, in the order of the text.
	Screens []Screen
}

// Screen is what is shown at a time: a "## " heading and all up to the next one.
type Screen struct {
	// Title is the text of the heading; empty for the introduction.
	Title string
	// Line is the heading's line in the file, counted from 1.
	Line int
	// Tasks are the ids of the tasks that are done on this screen.
	Tasks []string
	// Markdown is what is to be shown: without the heading, the comments, and the flags of blocks.
	Markdown string
	// Blocks are the screen's parts, in the order of the text.
	Blocks []Block
}

// Kind is what a block is to the player.
type Kind int

// The kinds of blocks.
const (
	// Prose is text in Markdown.
	Prose Kind = iota
	// Console is a list of commands and their outputs.
	Console
	// File is what a file of the student is to hold.
	File
	// Code is any other code.
	Code
)

// Block is a part of a screen.
type Block struct {
	Kind Kind
	// Line is the block's first line in the file, counted from 1: that of the fence, if it has one.
	Line int
	// Text is the prose, or what stands between the fences.
	Text string
	// Language is the first word after the fence.
	Language string
	// Name is the file that a File block is for, relative to the workspace.
	Name string
	// Skip marks a Console block that is shown and not played.
	Skip bool
	// Hidden marks a Console block that is played and not shown.
	Hidden bool
	// Indent is what stands before each line of the block, for one within a list.
	Indent string
	// Commands are those of a Console block.
	Commands []Command
}

// Command is one command of a Console block.
type Command struct {
	// Text is what the shell gets; it may have several lines.
	Text string
	// Line is its first line in the file, and Output begins in the line OutputLine, counted from 1.
	Line, OutputLine int
	// Output is what it printed when it was recorded: to its standard output and its standard error.
	Output []string
}

// Screen returns the index of the screen on which a task is done, and -1 if there is none.
func (l *Lesson) Screen(task string) int {
	for i, s := range l.Screens {
		for _, t := range s.Tasks {
			if t == task {
				return i
			}
		}
	}
	return -1
}

// All returns the introduction and the screens.
func (l *Lesson) All() []Screen { return append([]Screen{l.Intro}, l.Screens...) }

// Played says whether the block has something to do for the player.
func (b *Block) Played() bool { return b.Kind == File || b.Kind == Console && !b.Skip }

// Expected returns the output as text, with a line break at its end if there is any.
func (c *Command) Expected() string {
	if len(c.Output) == 0 {
		return ""
	}
	return strings.Join(c.Output, "\n") + "\n"
}
