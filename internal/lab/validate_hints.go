package lab

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/util/jsonpath"

	"github.com/ingresslab/ingresslab/internal/diagnosis"
	"github.com/ingresslab/ingresslab/internal/scenario"
	"github.com/ingresslab/ingresslab/internal/strictyaml"
)

// suggest adds an error, and suggests the known name that is most similar.
func (c *checker) suggest(path, name string, known []string, format string, args ...any) {
	c.faults = append(c.faults, strictyaml.Diagnostic{
		File: c.file, Position: c.positions.At(path), Path: path,
		Message: fmt.Sprintf(format, args...), Suggestion: strictyaml.Nearest(name, known),
	})
}

func (l *Lab) taskIDs() []string {
	var ids []string
	for _, t := range l.Tasks {
		ids = append(ids, t.ID)
	}
	return ids
}

func (c *checker) hints(l *Lab) {
	ids := map[string]bool{}
	for i, h := range l.Hints {
		path := fmt.Sprintf("hints[%d]", i)
		switch {
		case h.ID == "":
			c.fault(path+".id", "is missing; mutants refer to it")
		case ids[h.ID]:
			c.fault(path+".id", "another hint also has the ID %q", h.ID)
		}
		ids[h.ID] = true
		for j, task := range h.Tasks {
			if !slices.Contains(l.taskIDs(), task) {
				c.suggest(fmt.Sprintf("%s.tasks[%d]", path, j), task, l.taskIDs(), "unknown task %q; the tasks are %s", task,
					strings.Join(l.taskIDs(), ", "))
			}
		}
		switch {
		case h.Finding == "" && len(h.When) == 0:
			c.fault(path, "needs finding (a finding code), or when (a check that passes while the problem exists)")
		case h.Finding != "" && len(h.When) > 0:
			c.fault(path, "has both finding and when; remove one of them")
		case h.Finding != "" && !slices.Contains(diagnosis.Codes(), h.Finding):
			c.suggest(path+".finding", h.Finding, diagnosis.Codes(), "unknown finding code %q; the codes are %s", h.Finding,
				strings.Join(diagnosis.Codes(), ", "))
		case len(h.When) > 0:
			c.faults = append(c.faults, scenario.ValidateCheck(c.file, c.positions, path+".when", h.When)...)
		}
		if h.Object != "" && !strings.Contains(h.Object, "/") {
			c.fault(path+".object", "%q is not KIND/NAME, such as ingress/web", h.Object)
		}
		c.levels(path+".levels", h)
	}
}

// levels validates the levels of a hint. They must not be empty or use unknown fields.
func (c *checker) levels(path string, h Hint) {
	if len(h.Levels) == 0 {
		c.fault(path, "is missing; write a question, where to look, and the answer")
	}
	for i, text := range h.Levels {
		at := fmt.Sprintf("%s[%d]", path, i)
		if strings.TrimSpace(text) == "" {
			c.fault(at, "is empty")
			continue
		}
		t, err := parseLevel("level", text)
		if err == nil {
			err = t.Execute(io.Discard, blanks(diagnosis.Finding{}))
		}
		if err != nil {
			c.fault(at, "cannot be rendered (%v); it can contain %s", strings.TrimPrefix(err.Error(), "template: "), blankNames())
		}
	}
}

func blankNames() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(blanks(diagnosis.Finding{}))) {
		names = append(names, "{{."+name+"}}")
	}
	return strings.Join(names, ", ")
}

// quiz validates the quiz. It needs choices, and either a request or a field that gives the right
// answer.
func (c *checker) quiz(q *Quiz) {
	if q == nil {
		return
	}
	if strings.TrimSpace(q.Question) == "" {
		c.fault("quiz.question", "is missing")
	}
	if strings.TrimSpace(q.Why) == "" {
		c.fault("quiz.why", "is missing; explain the answer")
	}
	asks, reads := q.Request != nil || q.Answer != "", q.Object != "" || q.JSONPath != ""
	switch {
	case asks == reads:
		c.fault("quiz", "needs either request and answer, or object and jsonpath")
	case asks && (q.Request == nil || q.Answer == ""):
		c.fault("quiz", "request and answer belong together: the request, and the part of the response to compare")
	case reads && (q.Object == "" || q.JSONPath == ""):
		c.fault("quiz", "object and jsonpath belong together: the object, and the field to compare")
	}
	parts := []string{"status", "app", "pod", "service", "body"}
	if name, is := strings.CutPrefix(q.Answer, "header "); q.Answer != "" && !slices.Contains(parts, q.Answer) && (!is || name == "") {
		c.suggest("quiz.answer", q.Answer, parts, "unknown part %q of a response; use %s, or \"header NAME\"", q.Answer,
			strings.Join(parts, ", "))
	}
	if q.JSONPath != "" {
		if err := jsonpath.New("quiz").Parse(q.JSONPath); err != nil {
			c.fault("quiz.jsonpath", "is invalid: %v", err)
		}
	}
	if q.Object != "" && !strings.Contains(q.Object, "/") {
		c.fault("quiz.object", "%q is not KIND/NAME, such as ingress/web", q.Object)
	}
	if len(q.Before) > 0 {
		c.faults = append(c.faults, scenario.ValidateCheck(c.file, c.positions, "quiz.before", q.Before)...)
	}
	switch {
	case (len(q.Choices) > 0) == (q.PodsOf != ""):
		c.fault("quiz", "needs either choices or podsOf")
	case q.PodsOf == "" && len(q.Choices) < 2:
		c.fault("quiz.choices", "needs at least two choices")
	}
	for i, choice := range q.Choices {
		if strings.TrimSpace(choice) == "" || slices.Contains(q.Choices[:i], choice) {
			c.fault(fmt.Sprintf("quiz.choices[%d]", i), "%q is empty or a duplicate", choice)
		}
	}
}

func (c *checker) solutions(l *Lab) {
	for i, t := range l.Tasks {
		path := fmt.Sprintf("tasks[%d]", i)
		if len(t.Solution) > 0 {
			c.faults = append(c.faults, scenario.ValidateSolution(c.file, c.positions, path+".solution", t.Solution)...)
			c.files(path+".solution", t.Solution, l.files, "solution/")
		}
		for j, text := range t.DefaultHints {
			if strings.TrimSpace(text) == "" {
				c.fault(fmt.Sprintf("%s.defaultHints[%d]", path, j), "is empty")
			}
		}
	}
}

// files finds missing manifests that steps refer to. where is the expected directory.
func (c *checker) files(path string, steps []scenario.Step, there map[string]scenario.Manifest, where string) {
	known := slices.Sorted(maps.Keys(there))
	for i, step := range steps {
		for verb, names := range map[string][]string{"apply": step.Apply, "delete": step.Delete} {
			for j, name := range names {
				isManifest := verb == "apply" || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json")
				if _, is := there[name]; isManifest && !is {
					c.suggest(fmt.Sprintf("%s[%d].%s[%d]", path, i, verb, j), name, known, "%s not found in %s, which has %s", name, where,
						strings.Join(known, ", "))
				}
			}
		}
	}
}

func (l *Lab) validateMutants(file string) strictyaml.Diagnostics {
	c := &checker{file: file, positions: l.mutantPositions}
	var hints []string
	for _, h := range l.Hints {
		hints = append(hints, h.ID)
	}
	hints = append(hints, diagnosis.Codes()...)
	both := maps.Clone(l.files)
	maps.Copy(both, l.mutantFiles)
	for i, m := range l.Mutants {
		path := fmt.Sprintf("[%d]", i)
		if strings.TrimSpace(m.Name) == "" {
			c.fault(path+".name", "is missing; describe the mistake in a few words")
		}
		if !slices.Contains(l.taskIDs(), m.Task) {
			c.suggest(path+".task", m.Task, l.taskIDs(), "unknown task %q; the tasks are %s", m.Task, strings.Join(l.taskIDs(), ", "))
		}
		if m.Hint != "" && !slices.Contains(hints, m.Hint) {
			c.suggest(path+".hint", m.Hint, hints, "%q is neither a hint of the lab nor a finding code", m.Hint)
		}
		changes := len(m.Patch)+len(m.Apply)+len(m.Omit) > 0
		switch {
		case !changes && len(m.Steps) == 0:
			c.fault(path, "changes nothing; set patch, apply, omit, or steps")
		case m.Hint == "" && m.Refused == "":
			c.fault(path, "needs hint, or refused if the API server rejects it")
		}
		for j, name := range m.Apply {
			if _, is := l.mutantFiles[name]; !is {
				known := slices.Sorted(maps.Keys(l.mutantFiles))
				c.suggest(fmt.Sprintf("%s.apply[%d]", path, j), name, known, "%s not found in mutants/, which has %s", name, strings.Join(known, ", "))
			}
		}
		if len(m.Steps) > 0 {
			c.faults = append(c.faults, scenario.ValidateSolution(file, c.positions, path+".steps", m.Steps)...)
			c.files(path+".steps", m.Steps, both, "solution/ or mutants/")
		}
	}
	return c.faults
}
