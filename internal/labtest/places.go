package labtest

import (
	"fmt"
	"path/filepath"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// places knows where the parts of a lab stand in its files, so that whoever reads of a fault finds it.
type places struct {
	lab             *lab.Lab
	lesson, mutants string
}

func placesOf(l *lab.Lab) places {
	return places{lab: l, lesson: filepath.Join(l.Dir, lab.LessonFile), mutants: filepath.Join(l.Dir, lab.MutantsFile)}
}

func (p places) inLesson(path string) Fault {
	return Fault{File: p.lesson, Line: p.lab.Position(path).Line}
}

// tasks is where the tasks begin.
func (p places) tasks() Fault { return p.inLesson("tasks") }

// hints is where the hints begin.
func (p places) hints() Fault { return p.inLesson("hints") }

// quiz is where the quiz is.
func (p places) quiz() Fault { return p.inLesson("quiz") }

// task is where the task of an id is.
func (p places) task(id string) Fault {
	for i, task := range p.lab.Tasks {
		if task.ID == id {
			return p.inLesson(fmt.Sprintf("tasks[%d].id", i))
		}
	}
	return p.tasks()
}

// hint is where the hint of an index is.
func (p places) hint(i int) Fault { return p.inLesson(fmt.Sprintf("hints[%d].id", i)) }

// mutant is where the mutant of a name is.
func (p places) mutant(name string) Fault {
	for i, m := range p.lab.Mutants {
		if m.Name == name {
			return Fault{File: p.mutants, Line: p.lab.MutantPosition(fmt.Sprintf("[%d].name", i)).Line}
		}
	}
	return Fault{File: p.mutants}
}
