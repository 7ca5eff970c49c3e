// Package tui shows a tutor on a whole terminal. It decides nothing: keys become commands of package tutor, and what that
// package knows becomes a picture, which is drawn anew after each event.
//
// Read tui.go for how it runs, model.go for what keys and events do, layout.go for where things are on the screen, and
// panel.go for what is said beside the lesson.
package tui
