package tutor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
	"github.com/ingresslab/ingresslab/internal/testing/tutortest"
	"github.com/ingresslab/ingresslab/internal/tutor"
)

func TestTasksAreMarkedDone(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.want("statuses", s.statuses(), "+...")
	s.tell(tutor.Next)
	s.see("stands", "front")
	s.heard("✓ The front door is open")
	s.want("present task", s.tutor.Present(), "knocked")
	s.see("stands", "front", "knocked")
	s.heard("All tasks on this page are done")
	// A transient task stays done. Another task regresses after two failed polls.
	s.see("stands", "front")
	s.see("stands")
	s.want("after one failed poll", s.statuses(), "+++.")
	s.see("stands")
	s.want("after two failed polls", s.statuses(), "+-+.")
	if summary, regressed := s.tutor.Summary(), "No longer done:\n\n- The front door is open\n"; !strings.Contains(summary, regressed) {
		t.Errorf("the summary does not list it:\n%s", summary)
	}
	s.heard("No longer done: The front door is open")
	s.want("present task", s.tutor.Present(), "front")
	s.see("stands", "front")
	s.want("after the check passes again", s.statuses(), "+++.")
	s.heard("✓ Done again: The front door is open")
}

func TestTutorContinuesFromRecord(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	s.see("stands", "front")
	record := s.saved
	again := begin(t, record)
	again.want("page", again.title(), "The front door")
	again.see("stands", "front")
	again.want("statuses", again.statuses(), "++..")
	if n := len(again.tutor.Notices()); n != 0 {
		t.Errorf("%d notices about known results: %v", n, again.tutor.Notices())
	}
	// After a change of the lesson, the title decides, then the number.
	record.Number = 0
	again = begin(t, record)
	again.want("found by its title", again.title(), "The front door")
	record.Page, record.Number = "A deleted page", 40
	again = begin(t, record)
	again.want("found by its number", again.title(), "Summary")
}

func TestPollsSlowDownWhileNothingChanges(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	first := s.sleep.For
	for range 60 {
		s.see("stands")
	}
	if s.sleep.For < 4*first {
		t.Errorf("after 60 equal polls, the interval is %s; at first it was %s", s.sleep.For, first)
	}
	stale := s.sleep.Seq
	s.tell(tutor.FilesChanged{Names: []string{"door.yaml"}})
	if !has[tutor.Poll](s) {
		t.Error("a saved file does not cause a poll")
	}
	s.see("stands")
	if s.sleep.For != first {
		t.Errorf("after a file was saved, the interval is %s, want %s", s.sleep.For, first)
	}
	s.tell(tutor.Woke{Seq: stale})
	if has[tutor.Poll](s) {
		t.Error("an outdated sleep causes a poll")
	}
}

func TestSolveAlsoSolvesEarlierTasks(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	s.tell(tutor.Next)
	s.tell(tutor.Solve)
	if q := s.tutor.Prompt(); q == nil || !strings.Contains(q.Text, "The back door is open") || !strings.Contains(q.Text, "2 earlier tasks") {
		t.Fatalf("prompt %+v", q)
	}
	s.tell(tutor.No)
	if has[tutor.SolveTask](s) || s.tutor.Prompt() != nil {
		t.Fatal("No does not cancel")
	}
	s.tell(tutor.Solve)
	s.tell(tutor.Yes)
	for _, id := range []string{"front", "knocked", "back"} {
		s.want("solved", effect[tutor.SolveTask](s).Task, id)
		s.tell(tutor.Solve)
		s.heard("Wait until this is done")
		s.tell(tutor.Solved{Task: id, Notes: []string{"Added to your workspace: door.yaml."}})
	}
	s.want("statuses", s.statuses(), "++++")
	s.want("page", s.title(), "The back door")
	if s.saved.Finished == nil || !s.saved.Tasks["back"].Solved {
		t.Errorf("saved %+v", s.saved)
	}
}

func TestFailedSolutionStopsQueue(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	s.tell(tutor.Skip)
	s.tell(tutor.Yes)
	s.tell(tutor.Solved{Task: "front", Err: errors.New("the hinge is broken")})
	s.heard("Cannot solve “The front door is open”: the hinge is broken")
	if has[tutor.SolveTask](s) || s.tutor.Busy() != "" {
		t.Error("the tutor continues after a failed solution")
	}
	s.want("page", s.title(), "The front door")
}

func TestSkipSolvesUpToPageAndTurnsIt(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Skip) // all tasks on the first page are done
	s.want("page", s.title(), "The front door")
	s.tell(tutor.Skip)
	s.tell(tutor.Yes)
	s.tell(tutor.Solved{Task: "front"})
	s.tell(tutor.Solved{Task: "knocked"})
	s.want("page", s.title(), "The back door")
	s.want("statuses", s.statuses(), "+++.")
}

func TestHintsOpenLevelByLevelForEachFinding(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	fake := &tutortest.Session{Dir: t.TempDir()}
	ask := func(code string) string {
		t.Helper()
		if err := fake.Put("fault", code); err != nil {
			t.Fatal(err)
		}
		s.tell(tutor.Hint)
		id := effect[tutor.Advise](s).Task
		advice, err := fake.Advise(t.Context(), id)
		s.tell(tutor.Advised{Task: id, Advice: advice, Err: err})
		h := s.tutor.HintView()
		return h.Opened[len(h.Opened)-1]
	}
	s.want("first", ask("rust"), "Is it locked?")
	s.want("why", s.tutor.HintView().Why, "door/front spec.lock: expected open, found shut rust")
	s.want("second", ask("rust"), "Look at its lock.")
	s.want("another finding", ask("ice"), "Is it locked?")
	s.want("second", ask("ice"), "Look at its lock.")
	s.want("third", ask("ice"), "Set spec.lock to open.")
	s.want("the next hint", ask("ice"), "Doors have handles.")
	ask("ice")
	s.heard("That was the last hint")
	s.see("stands", "front")
	if s.tutor.HintView() != nil {
		t.Error("the hint stays open after its task is done")
	}
	if n := s.saved.Tasks["front"].Hints; n != 6 {
		t.Errorf("%d hints recorded, want 6", n)
	}
}

func TestResetAsksAndDeletesProgress(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands", "front")
	s.tell(tutor.Next)
	s.tell(tutor.Reset)
	s.tell(tutor.Yes)
	if !effect[tutor.Start](s).Reset {
		t.Fatal("the effect does not reset the files")
	}
	s.tell(tutor.Polled{State: tutortest.State("stands", "front")}) // the poll ran before the reset
	s.want("statuses", s.statuses(), "++..")
	s.tell(tutor.Started{Reset: true})
	s.want("statuses", s.statuses(), "....")
	s.want("page", s.title(), "The house")
	s.see("stands")
	s.want("statuses", s.statuses(), "+...")
}

func TestMissingNamespaceIsReportedAndRestored(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands", "front")
	missing := lab.State{Missing: []lab.Missing{{What: "namespace", Text: "namespace lab-7 is missing", Fix: "creates it again"}}}
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{State: missing})
	s.heard("Namespace lab-7 is missing.")
	s.want("statuses", s.statuses(), "++..") // progress is kept
	s.tell(tutor.Restore)
	if effect[tutor.Start](s).Reset {
		t.Error("restore resets the student's files")
	}
	s.tell(tutor.Started{})
	s.see("stands")
	s.heard("Everything that the lab needs is restored.")
}

func TestOutageIsReportedOnce(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	down := errors.New("connection refused")
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{Err: down})
	since := s.now
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{Err: down})
	if text := s.tutor.Problems()[0]; !strings.Contains(text, since.Format("15:04:05")) || !strings.Contains(text, "connection refused") {
		t.Errorf("problem is %q, want its start and its cause", text)
	}
	if n := len(s.tutor.Notices()) - 1; n != 1 {
		t.Errorf("%d notices, want 1", n)
	}
	s.see("stands")
	s.heard("The API server answers again.")
	if s.tutor.Broken() {
		t.Error("Broken returns true")
	}
}

func TestRestoreStartsClusterAndLab(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands", "front")
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{Err: errors.New("no cluster “lab”"), Gone: true})
	s.heard("The cluster no longer exists")
	s.tell(tutor.Restore)
	effect[tutor.BringUp](s)
	s.tell(tutor.BroughtUp{})
	s.tell(tutor.Polled{State: lab.State{Missing: []lab.Missing{{What: "namespace", Text: "namespace lab-7 is missing"}}}})
	effect[tutor.Start](s)
	s.tell(tutor.Started{})
	s.see("stands")
	s.want("statuses", s.statuses(), "++..")
	if s.tutor.Broken() {
		t.Error("Broken returns true")
	}
}

func TestFileNoticesUntilApplied(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.FilesChanged{Names: []string{"door.yaml"}})
	s.tell(tutor.FilesSeen{Files: []tutor.FileState{{Name: "door.yaml", Errors: []string{`door.yaml:3: spec.lok: has no such field`}}}})
	s.heard("door.yaml:3")
	s.tell(tutor.FilesSeen{Files: []tutor.FileState{{Name: "door.yaml", Pending: []string{"door/front"}}}})
	s.heard("is saved but not applied (door/front): kubectl apply -f door.yaml")
	s.see("stands")
	s.want("compared again", effect[tutor.SeeFiles](s).Names[0], "door.yaml")
	s.tell(tutor.FilesSeen{Files: []tutor.FileState{{Name: "door.yaml"}}})
	s.heard("door.yaml is applied.")
	if lines := s.tutor.FileLines(); len(lines) != 0 {
		t.Errorf("file lines remain: %q", lines)
	}
}

func TestQuizAnswerIsGradedAndSaved(t *testing.T) {
	s := begin(t, progress.Record{Page: "The back door", Number: 2})
	s.see("stands")
	s.tell(tutor.Next)
	effect[tutor.Pose](s)
	s.tell(tutor.Posed{Question: lab.Question{Text: "Who answers?", Choices: []string{"the cat", "the dog"}}})
	s.tell(tutor.Choose(5))
	s.heard("There is no such choice.")
	s.tell(tutor.Choose(0))
	s.want("choice", effect[tutor.Grade](s).Choice, "the cat")
	s.tell(tutor.Graded{Grade: lab.Grade{Choice: "the cat", Truth: "the dog", Why: "Cats do not answer."}})
	if q := s.saved.Quiz; q == nil || q.Right || q.Truth != "the dog" {
		t.Errorf("saved %+v", q)
	}
	s.tell(tutor.Next)
	if summary := s.tutor.Summary(); !strings.Contains(summary, "the cat") || !strings.Contains(summary, "The back door is open") {
		t.Errorf("the summary lacks the answer or the open task:\n%s", summary)
	}
}

func TestFullDiskIsReportedOnce(t *testing.T) {
	s := begin(t, progress.Record{})
	for range 3 {
		s.tell(tutor.Saved{Err: errors.New("no space left on device")})
	}
	s.heard("no space left on device")
	s.tell(tutor.Saved{})
	s.heard("saved again")
	if n := len(s.tutor.Notices()); n != 2 {
		t.Errorf("%d notices, want 2: %v", n, s.tutor.Notices())
	}
}
