package tutorial

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/lesson"
)

const (
	// Dir is where the pages are, from the checkout's root.
	Dir = "docs/tutorial"
	// labsDir is where the labs are, from the same.
	labsDir = "labs"
	// Index is the page that lists the others.
	Index = "README.md"
)

// chapter is a lab with its text.
type chapter struct {
	*lab.Lab
	text *lesson.Lesson
	// name is that of the directory, and of the page without its extension.
	name string
}

// Pages returns the files of the tutorial by their names: a page for every lab in the checkout at root, and the index. A lab with
// faults is an error.
func Pages(root string) (map[string]string, error) {
	entries, err := lab.List(filepath.Join(root, labsDir))
	if err != nil {
		return nil, err
	}
	var chapters []chapter
	for _, e := range entries {
		l, err := lab.Load(e.Dir)
		if err != nil {
			return nil, err
		}
		text, faults := l.Lesson()
		if err := faults.Err(); err != nil {
			return nil, err
		}
		chapters = append(chapters, chapter{Lab: l, text: text, name: filepath.Base(l.Dir)})
	}
	pages := map[string]string{Index: index(chapters)}
	for i, c := range chapters {
		var before, after *chapter
		if i > 0 {
			before = &chapters[i-1]
		}
		if i+1 < len(chapters) {
			after = &chapters[i+1]
		}
		page, err := c.page(before, after)
		if err != nil {
			return nil, fmt.Errorf("lab %d: %w", c.Number, err)
		}
		pages[c.name+".md"] = page
	}
	return pages, nil
}

const generated = "<!-- Generated from the labs by `make generate`: change labs/, not this file. -->\n\n"

func index(chapters []chapter) string {
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString(`# The labs

Each lab is a page to read with a terminal beside it. Do them in this order: later ones take for granted what earlier ones explain.
The times are for somebody who reads everything and types every command.

| lab | what you do | tasks | time |
| --- | --- | --- | --- |
`)
	total := 0
	for _, c := range chapters {
		fmt.Fprintf(&b, "| [%d. %s](%s.md) | %s | %d | %d min |\n", c.Number, c.Name, c.name, c.Title, len(c.Tasks), c.minutes())
		total += c.minutes()
	}
	fmt.Fprintf(&b, "\nTogether: %s.\n", span(total))
	b.WriteString(`
There are three ways to do a lab:

- ` + "`bin/ingresslab learn 1`" + ` shows it in the terminal, a step at a time, and notices by itself what you have done.
- With these pages and a shell: ` + "`bin/ingresslab start 1`" + ` brings the cluster and the lab to its start and makes your workspace;
  ` + "`bin/ingresslab check 1`" + ` says what is done, and gives hints for the rest.
- ` + "`make lab-1`" + ` does it without you, and shows what every check sees.

[The curriculum](../curriculum.md) says which older texts the labs are made from.
`)
	return b.String()
}

// Reading takes a minute for so many words, and typing a command, waiting for it and looking at what it says takes another.
const wordsPerMinute = 150

// minutes is how long the lab takes, rounded up to five.
func (c chapter) minutes() int {
	words, commands := 0, 0
	for _, s := range c.text.All() {
		for _, b := range s.Blocks {
			switch {
			case b.Hidden:
			case b.Kind == lesson.Console:
				commands += len(b.Commands)
			case b.Kind == lesson.Prose:
				words += len(strings.Fields(b.Text))
			default:
				words += len(strings.Fields(b.Text)) / 2
			}
		}
	}
	minutes := words/wordsPerMinute + commands
	return (minutes + 4) / 5 * 5
}

func span(minutes int) string {
	if minutes < 60 {
		return fmt.Sprintf("%d minutes", minutes)
	}
	return fmt.Sprintf("%d hours and %d minutes", minutes/60, minutes%60)
}

// fromPage is the way from a page to a file of the lab.
func (c chapter) fromPage(file string) string { return path.Join("../../", labsDir, c.name, file) }
