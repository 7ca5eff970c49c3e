package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/progress"
)

// forget forgets the progress in a lab, or in all.
func (a *app) forget(ctx context.Context, store *progress.Store, dir, argument string) error {
	name, what := "", "all labs"
	if argument != "" {
		found, err := lab.Find(dir, argument)
		if err != nil {
			return err
		}
		entries, err := lab.List(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Dir == found {
				name, what = e.Name, fmt.Sprintf("lab %d", e.Number)
			}
		}
	}
	err := store.Forget(ctx, name)
	var damaged *progress.DamagedError
	if errors.As(err, &damaged) {
		a.display.Note(damaged.Error())
	} else if err != nil {
		return err
	}
	printf(a.std.Out, "The progress in %s is forgotten.\n", what)
	return nil
}

// chooseLab lists the labs with the progress in them, and returns the one to go on with: the answer to a question at a
// terminal, and nothing anywhere else.
func (a *app) chooseLab(store *progress.Store, dir string) (string, error) {
	entries, err := lab.List(dir)
	if err != nil {
		return "", err
	}
	p, err := store.Load()
	if err != nil {
		a.display.Note(oneLine(err.Error()))
	}
	if err := writeProgress(a.std.Out, entries, p); err != nil {
		return "", err
	}
	next := nextLab(entries, p)
	if next.Name == "" {
		return "", nil
	}
	if _, _, terminal := a.terminal(); !terminal {
		printf(a.std.Out, "\n`ingresslab learn %d` goes on with lab %d, %s.\n", next.Number, next.Number, titleOf(next.Title))
		return "", nil
	}
	printf(a.std.Out, "\nEnter goes on with lab %d, %s; or give the number of another one; q quits: ", next.Number, titleOf(next.Title))
	switch answer, err := readLine(a.std.In); {
	case err != nil || answer == "q":
		printf(a.std.Out, "\n")
		return "", nil
	case answer != "":
		return answer, nil
	}
	return next.Name, nil
}

// nextLab is the lab to go on with: the last one unless it is finished, else the first that is not.
func nextLab(entries []lab.Entry, p progress.Progress) lab.Entry {
	for _, e := range entries {
		if e.Name == p.Last && p.Labs[e.Name].Finished == nil {
			return e
		}
	}
	for _, e := range entries {
		if p.Labs[e.Name].Finished == nil {
			return e
		}
	}
	if len(entries) > 0 {
		return entries[0]
	}
	return lab.Entry{}
}

// writeProgress lists the labs and how far each is.
func writeProgress(w io.Writer, entries []lab.Entry, p progress.Progress) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printf(table, "LAB\tTITLE\tPROGRESS\n")
	for _, e := range entries {
		printf(table, "%d\t%s\t%s\n", e.Number, titleOf(e.Title), progressText(e, p))
	}
	return table.Flush()
}

func progressText(e lab.Entry, p progress.Progress) string {
	r, begun := p.Labs[e.Name]
	if !begun {
		return "-"
	}
	done, solved := 0, 0
	for _, task := range r.Tasks {
		if !task.Done.IsZero() {
			done++
		}
		if task.Solved {
			solved++
		}
	}
	var parts []string
	if r.Finished != nil {
		parts = append(parts, "finished "+r.Finished.Local().Format("2006-01-02"))
	} else {
		parts = append(parts, fmt.Sprintf("%d tasks done", done))
		if r.Page != "" {
			parts = append(parts, "at “"+r.Page+"”")
		}
	}
	if solved > 0 {
		parts = append(parts, fmt.Sprintf("%d solved by the tutor", solved))
	}
	if r.Quiz != nil {
		parts = append(parts, map[bool]string{true: "question answered", false: "question missed"}[r.Quiz.Right])
	}
	return strings.Join(parts, ", ")
}

// readLine reads up to the end of a line and not beyond: what follows is for somebody else.
func readLine(in io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := in.Read(one)
		if n == 1 && one[0] == '\n' {
			return strings.TrimSpace(string(line)), nil
		}
		if n == 1 {
			line = append(line, one[0])
		}
		if err != nil {
			return strings.TrimSpace(string(line)), err
		}
	}
}
