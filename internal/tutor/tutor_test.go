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

func TestTasksAreTickedAsTheyComeTrue(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.want("standings", s.standings(), "+...")
	s.tell(tutor.Next)
	s.see("stands", "front")
	s.heard("✓ The front door is open")
	s.want("present task", s.tutor.Present(), "knocked")
	s.see("stands", "front", "knocked")
	s.heard("That is all on this screen")
	// A transient task stays ticked, another one does not have to be believed forever.
	s.see("stands", "front")
	s.see("stands")
	s.want("after one bad look", s.standings(), "+++.")
	s.see("stands")
	s.want("after two", s.standings(), "+-+.")
	if summary, lapsed := s.tutor.Summary(), "Done, and not so any more:\n\n- The front door is open\n"; !strings.Contains(summary, lapsed) {
		t.Errorf("the last screen says nothing of it:\n%s", summary)
	}
	s.heard("Was done, and is not anymore: The front door is open")
	s.want("present task", s.tutor.Present(), "front")
	s.see("stands", "front")
	s.want("after it is true again", s.standings(), "+++.")
	s.heard("✓ Again: The front door is open")
}

func TestProgressIsGoneOnWith(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	s.see("stands", "front")
	record := s.saved
	again := begin(t, record)
	again.want("screen", again.title(), "The front door")
	again.see("stands", "front")
	again.want("standings", again.standings(), "++..")
	if n := len(again.tutor.Notices()); n != 0 {
		t.Errorf("%d notices about what was known: %v", n, again.tutor.Notices())
	}
	// A lesson that was rewritten: the title decides, then the number, as far as there is one.
	record.Number = 0
	again = begin(t, record)
	again.want("found by its title", again.title(), "The front door")
	record.Page, record.Number = "A chapter that is no more", 40
	again = begin(t, record)
	again.want("found by its number", again.title(), "Done")
}

func TestLooksBecomeSlowerWhileNothingHappens(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	first := s.sleep.For
	for range 60 {
		s.see("stands")
	}
	if s.sleep.For < 4*first {
		t.Errorf("after 60 equal looks the next one is in %s, as at first: %s", s.sleep.For, first)
	}
	stale := s.sleep.Seq
	s.tell(tutor.FilesChanged{Names: []string{"door.yaml"}})
	if !has[tutor.Poll](s) {
		t.Error("a saved file is not looked after at once")
	}
	s.see("stands")
	if s.sleep.For != first {
		t.Errorf("after a file was saved the next look is in %s, want %s", s.sleep.For, first)
	}
	s.tell(tutor.Woke{Seq: stale})
	if has[tutor.Poll](s) {
		t.Error("a sleep that was given up counts")
	}
}

func TestSolveAsksAndSolvesWhatComesBefore(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	s.tell(tutor.Next)
	s.tell(tutor.Solve)
	if q := s.tutor.Asked(); q == nil || !strings.Contains(q.Text, "The back door is open") || !strings.Contains(q.Text, "2 other tasks") {
		t.Fatalf("asked %+v", q)
	}
	s.tell(tutor.No)
	if has[tutor.SolveTask](s) || s.tutor.Asked() != nil {
		t.Fatal("no is not an answer")
	}
	s.tell(tutor.Solve)
	s.tell(tutor.Yes)
	for _, id := range []string{"front", "knocked", "back"} {
		s.want("solved", effect[tutor.SolveTask](s).Task, id)
		s.tell(tutor.Solve)
		s.heard("One thing after the other")
		s.tell(tutor.Solved{Task: id, Notes: []string{"door.yaml is in your workspace now."}})
	}
	s.want("standings", s.standings(), "++++")
	s.want("screen", s.title(), "The back door")
	if s.saved.Finished == nil || !s.saved.Tasks["back"].Solved {
		t.Errorf("saved %+v", s.saved)
	}
}

func TestASolutionThatFailsEndsTheRow(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	s.tell(tutor.Skip)
	s.tell(tutor.Yes)
	s.tell(tutor.Solved{Task: "front", Err: errors.New("the hinge is broken")})
	s.heard("“The front door is open” could not be solved: the hinge is broken")
	if has[tutor.SolveTask](s) || s.tutor.Busy() != "" {
		t.Error("it goes on all the same")
	}
	s.want("screen", s.title(), "The front door")
}

func TestSkipSolvesUpToThisScreenAndGoesOn(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Skip) // all of the first screen is done
	s.want("screen", s.title(), "The front door")
	s.tell(tutor.Skip)
	s.tell(tutor.Yes)
	s.tell(tutor.Solved{Task: "front"})
	s.tell(tutor.Solved{Task: "knocked"})
	s.want("screen", s.title(), "The back door")
	s.want("standings", s.standings(), "+++.")
}

func TestHintsComeTierByTierAndFollowTheFault(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.Next)
	fake := &tutortest.Session{Dir: t.TempDir()}
	ask := func(fault string) string {
		t.Helper()
		if err := fake.Put("fault", fault); err != nil {
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
	s.want("another fault", ask("ice"), "Is it locked?")
	s.want("second", ask("ice"), "Look at its lock.")
	s.want("third", ask("ice"), "Set spec.lock to open.")
	s.want("the next hint", ask("ice"), "Doors have handles.")
	ask("ice")
	s.heard("That was the last hint")
	s.see("stands", "front")
	if s.tutor.HintView() != nil {
		t.Error("the hint outlives its task")
	}
	if n := s.saved.Tasks["front"].Hints; n != 6 {
		t.Errorf("%d hints remembered, want 6", n)
	}
}

func TestResetAsksAndForgets(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands", "front")
	s.tell(tutor.Next)
	s.tell(tutor.Reset)
	s.tell(tutor.Yes)
	if !effect[tutor.Start](s).Reset {
		t.Fatal("the files are left out")
	}
	s.tell(tutor.Polled{State: state("stands", "front")}) // saw the namespace before it was taken apart
	s.want("standings", s.standings(), "++..")
	s.tell(tutor.Started{Reset: true})
	s.want("standings", s.standings(), "....")
	s.want("screen", s.title(), "The house")
	s.see("stands")
	s.want("standings", s.standings(), "+...")
}

func TestWhatIsGoneIsSaidAndRestored(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands", "front")
	lost := lab.State{Missing: []lab.Missing{{What: "namespace", Text: "the namespace lab-7 is gone", Fix: "start/ is put back"}}}
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{State: lost})
	s.heard("The namespace lab-7 is gone.")
	s.want("standings", s.standings(), "++..") // progress is not lost
	s.tell(tutor.Restore)
	if effect[tutor.Start](s).Reset {
		t.Error("the student's files are not gone, and need no reset")
	}
	s.tell(tutor.Started{})
	s.see("stands")
	s.heard("Everything that the lab needs is there again.")
}

func TestACallThatIsNotAnsweredIsRepeated(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	down := errors.New("connection refused")
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{Err: down})
	since := s.now
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{Err: down})
	if text := s.tutor.Trouble()[0]; !strings.Contains(text, since.Format("15:04:05")) || !strings.Contains(text, "connection refused") {
		t.Errorf("trouble is %q, want since when and why", text)
	}
	if n := len(s.tutor.Notices()) - 1; n != 1 {
		t.Errorf("said %d times, want once", n)
	}
	s.see("stands")
	s.heard("The API server answers again.")
	if s.tutor.Broken() {
		t.Error("still broken")
	}
}

func TestAClusterThatIsGoneIsBroughtUpWithTheLabInIt(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands", "front")
	s.tell(tutor.Woke{Seq: s.sleep.Seq})
	s.tell(tutor.Polled{Err: errors.New("no cluster “lab”"), Gone: true})
	s.heard("The cluster is gone")
	s.tell(tutor.Restore)
	effect[tutor.BringUp](s)
	s.tell(tutor.BroughtUp{})
	s.tell(tutor.Polled{State: lab.State{Missing: []lab.Missing{{What: "namespace", Text: "the namespace lab-7 is gone"}}}})
	effect[tutor.Start](s)
	s.tell(tutor.Started{})
	s.see("stands")
	s.want("standings", s.standings(), "++..")
	if s.tutor.Broken() {
		t.Error("still broken")
	}
}

func TestFilesAreTalkedAboutUntilTheyAreApplied(t *testing.T) {
	s := begin(t, progress.Record{})
	s.see("stands")
	s.tell(tutor.FilesChanged{Names: []string{"door.yaml"}})
	s.tell(tutor.FilesSeen{Files: []tutor.FileState{{Name: "door.yaml", Faults: []string{`door.yaml:3: spec.lok: has no such field`}}}})
	s.heard("door.yaml:3")
	s.tell(tutor.FilesSeen{Files: []tutor.FileState{{Name: "door.yaml", Pending: []string{"door/front"}}}})
	s.heard("saved, not applied yet (door/front): kubectl apply -f door.yaml")
	s.see("stands")
	s.want("looked at again", effect[tutor.SeeFiles](s).Names[0], "door.yaml")
	s.tell(tutor.FilesSeen{Files: []tutor.FileState{{Name: "door.yaml"}}})
	s.heard("the cluster has it as you saved it")
	if lines := s.tutor.FileLines(); len(lines) != 0 {
		t.Errorf("still said: %q", lines)
	}
}

func TestTheQuestionAtTheEnd(t *testing.T) {
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
		t.Errorf("the summary does not say what was answered and what is open:\n%s", summary)
	}
}

func TestAFullDiskIsSaidOnce(t *testing.T) {
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
