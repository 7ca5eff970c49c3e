package labtest

import (
	"fmt"
	"path/filepath"

	"github.com/ingresslab/ingresslab/internal/lab"
)

// places returns positions in the files of a lab.
type places struct {
	lab             *lab.Lab
	lesson, mutants string
}

func placesOf(l *lab.Lab) places {
	return places{lab: l, lesson: filepath.Join(l.Dir, lab.LessonFile), mutants: filepath.Join(l.Dir, lab.MutantsFile)}
}

func (p places) inLesson(path string) Diagnostic {
	return Diagnostic{File: p.lesson, Line: p.lab.Position(path).Line}
}

func (p places) tasks() Diagnostic { return p.inLesson("tasks") }

func (p places) hints() Diagnostic { return p.inLesson("hints") }

func (p places) quiz() Diagnostic { return p.inLesson("quiz") }

func (p places) task(id string) Diagnostic {
	for i, task := range p.lab.Tasks {
		if task.ID == id {
			return p.inLesson(fmt.Sprintf("tasks[%d].id", i))
		}
	}
	return p.tasks()
}

func (p places) hint(i int) Diagnostic { return p.inLesson(fmt.Sprintf("hints[%d].id", i)) }

func (p places) mutant(name string) Diagnostic {
	for i, m := range p.lab.Mutants {
		if m.Name == name {
			return Diagnostic{File: p.mutants, Line: p.lab.MutantPosition(fmt.Sprintf("[%d].name", i)).Line}
		}
	}
	return Diagnostic{File: p.mutants}
}
