package nodeimage

// Progress is told what happens, for a person to follow. Calls come from one goroutine at
// a time.
type Progress interface {
	// Begin opens a stage; number counts from 1 to total.
	Begin(number, total int, name string)
	// Detail says what the open stage does right now. It may be called very often.
	Detail(text string)
	// End closes the stage. outcome is one of the constants.
	End(outcome string)
	// Note is a remark that belongs to no stage.
	Note(text string)
}

// How a stage can end.
const (
	OutcomeDone        = "done"
	OutcomeReused      = "done before" // by an earlier build; nothing was run
	OutcomeFailed      = "failed"
	OutcomeInterrupted = "interrupted"
)

// silent is the Progress of a caller that wants none.
type silent struct{}

func (silent) Begin(int, int, string) {}
func (silent) Detail(string)          {}
func (silent) End(string)             {}
func (silent) Note(string)            {}
