package progress

import "time"

// version is that of the file's format.
const version = 1

// Progress is everything that is remembered.
type Progress struct {
	Version int `json:"version"`
	// Last is the name of the lab that was worked on last.
	Last string `json:"last,omitempty"`
	// Labs is by the labs' names.
	Labs map[string]Record `json:"labs"`
}

// Record is how far a student is in one lab.
type Record struct {
	// Screen is the title of the lesson's screen that was read last, and Number which one it was, from 0: where the title
	// is not found anymore, the number has to do.
	Page   string `json:"screen,omitempty"`
	Number int    `json:"number"`
	// Tasks are those that were done once, by their ids.
	Tasks map[string]Task `json:"tasks,omitempty"`
	// Quiz is the last answer to the question at the end.
	Quiz *Quiz `json:"quiz,omitempty"`
	// Finished is when the last task was done.
	Finished *time.Time `json:"finished,omitempty"`
	// Seen is when the lab was worked on last.
	Seen time.Time `json:"seen"`
}

// Task is a task that was done, or that a hint was opened for: then Done is zero.
type Task struct {
	Done time.Time `json:"done,omitzero"`
	// Solved says that the tutor did it.
	Solved bool `json:"solved,omitempty"`
	// Hints is how many hints were opened for it.
	Hints int `json:"hints,omitempty"`
}

// Quiz is an answer to a lab's question.
type Quiz struct {
	Choice string    `json:"choice"`
	Truth  string    `json:"truth"`
	Right  bool      `json:"right"`
	At     time.Time `json:"at"`
}

// Clone returns a copy that shares nothing that can change.
func (r Record) Clone() Record {
	tasks := make(map[string]Task, len(r.Tasks))
	for id, t := range r.Tasks {
		tasks[id] = t
	}
	r.Tasks = tasks
	if r.Finished != nil {
		finished := *r.Finished
		r.Finished = &finished
	}
	if r.Quiz != nil {
		quiz := *r.Quiz
		r.Quiz = &quiz
	}
	return r
}
