package lab

import (
	"context"
	"errors"
	"slices"
)

// ProgressReport is the progress in a lab, as printed by `ingresslab check`.
type ProgressReport struct {
	Lab   int         `json:"lab"`
	Name  string      `json:"name"`
	Done  bool        `json:"done"`
	Tasks []TaskCheck `json:"tasks"`
	// Missing lists the required parts of the lab that don't exist.
	Missing []Missing `json:"lost,omitempty"`
}

// TaskCheck is the progress in one task.
type TaskCheck struct {
	TaskState
	// Transient is true for a task that a later task undoes. Such a task need not be done at the
	// end.
	Transient bool     `json:"transient,omitempty"`
	Advice    []Advice `json:"advice,omitempty"`
}

// Broken reports whether parts are missing that the checks of all tasks need.
func (r *ProgressReport) Broken() bool {
	return slices.ContainsFunc(r.Missing, func(m Missing) bool { return m.What != MissingStart })
}

// Check polls the lab once, and returns the progress with advice for each unfinished task. If task
// is not empty, it checks only the task with this ID.
func (s *Session) Check(ctx context.Context, task string) (*ProgressReport, error) {
	state, err := s.Poll(ctx)
	if err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	r := &ProgressReport{Lab: s.lab.Number, Name: s.lab.Name, Done: true, Tasks: []TaskCheck{}, Missing: state.Missing}
	for i, t := range state.Tasks {
		if task != "" && task != t.ID {
			continue
		}
		c := TaskCheck{TaskState: t, Transient: s.lab.Tasks[i].Transient}
		undone := c.Transient && task == "" && slices.ContainsFunc(state.Tasks[i+1:], func(t TaskState) bool { return t.Done })
		if !t.Done && !undone {
			r.Done = false
			if !r.Broken() {
				if c.Advice, err = s.Advise(ctx, t.ID); err != nil {
					return nil, err
				}
			}
		}
		r.Tasks = append(r.Tasks, c)
	}
	return r, nil
}
