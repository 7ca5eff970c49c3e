package tutor

import (
	"slices"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// Course is a lab as it is gone through.
type Course struct {
	Lab *lab.Lab
	// Pages are the text of the lesson, in order. Every task of the lab is on one.
	Pages []Page
}

// Kind says what a screen is for.
type Kind int

// The kinds of pages.
const (
	// Reading is a part of the lesson, with or without tasks.
	Reading Kind = iota
	// Asking is the question at the end.
	Asking
	// Ending says what has been done, and where to go from here.
	Ending
)

// Page is what is read at once.
type Page struct {
	Kind  Kind
	Title string
	// Text is Markdown, without the title.
	Text string
	// Tasks are the ids of the tasks that are done here.
	Tasks []string
}

// pages returns the lesson's pages and what comes after them.
func (c Course) pages() []Page {
	all := slices.Clone(c.Pages)
	if c.Lab.Quiz != nil {
		all = append(all, Page{Kind: Asking, Title: "A question at the end"})
	}
	return append(all, Page{Kind: Ending, Title: "Done"})
}

// find returns where the screen with a title is: the one of that number if it has the title, else the first that has it,
// else the one of that number, as far as there is one.
func find(pages []Page, title string, number int) int {
	if number >= 0 && number < len(pages) && pages[number].Title == title {
		return number
	}
	if i := slices.IndexFunc(pages, func(s Page) bool { return s.Title == title }); i >= 0 {
		return i
	}
	return max(0, min(number, len(pages)-1))
}
