package lab

import (
	"github.com/ingresslab/ingresslab/internal/lesson"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// Lesson returns the text in its parts: introduction, screens, commands. A lab that Load has returned has no faults there.
func (l *Lab) Lesson() (*lesson.Lesson, strictyaml.Diagnostics) {
	return lesson.Parse(l.lessonFile(), l.Text, l.TextLine)
}

// validateText returns what is wrong with the lesson's text, and with the tasks that its screens name.
func (l *Lab) validateText() strictyaml.Diagnostics {
	text, faults := l.Lesson()
	return append(faults, text.CheckTasks(l.taskIDs())...)
}
