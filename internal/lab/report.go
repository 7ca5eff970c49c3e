package lab

import (
	"time"

	"github.com/ingresslab/ingresslab/internal/scenario"
)

// Report is what a run of a lab leaves.
type Report struct {
	Number int    `json:"number"`
	Lab    string `json:"lab"`
	Title  string `json:"title"`
	// Dir is the lab's directory, as it was given to Load.
	Dir       string `json:"dir"`
	Namespace string `json:"namespace"`
	// Address is where requests for any host go, as host:port.
	Address string           `json:"address"`
	Outcome scenario.Outcome `json:"outcome"`
	// Reason says in a sentence why the outcome is not Passed.
	Reason  string    `json:"reason,omitempty"`
	Started time.Time `json:"started"`
	// Seconds is how long the run took; 0 until it is done.
	Seconds float64 `json:"seconds"`
	// Notes are what a student should know about the state of the namespace.
	Notes []string `json:"notes,omitempty"`
	// Before are the checks from start/, Solved each check right after its task's solution, After all that hold at the end.
	Before []CheckReport `json:"before"`
	Solved []CheckReport `json:"solved"`
	After  []CheckReport `json:"after"`
	// OnlyStarted says that the run was to end at start/.
	OnlyStarted bool `json:"onlyStarted,omitempty"`
	// Open are the pages to look at now, with the port of this cluster.
	Open []string `json:"open,omitempty"`
}

// CheckReport is what one task's check came to.
type CheckReport struct {
	Task  string `json:"task"`
	Title string `json:"title"`
	// Holds says whether the check held.
	Holds bool `json:"holds"`
	// Expected says whether that is as it should be at this point of the lab.
	Expected bool `json:"expected"`
	// Steps are the steps of the check that ran; of a check that does not hold, the last one is the one that fails.
	Steps   []scenario.StepReport `json:"steps"`
	Outcome scenario.Outcome      `json:"outcome"`
	Seconds float64               `json:"seconds"`
}

// Progress hears about a run while it goes on.
type Progress interface {
	// Started is called first.
	Started(Report)
	// Phase says what begins.
	Phase(text string)
	// Note says something that a student should know.
	Note(text string)
	// Checked is called after each check; solved tells whether the solution is in place.
	Checked(check CheckReport, solved bool)
	// Done is called last.
	Done(Report)
}

type silent struct{}

func (silent) Started(Report)            {}
func (silent) Phase(string)              {}
func (silent) Note(string)               {}
func (silent) Checked(CheckReport, bool) {}
func (silent) Done(Report)               {}
