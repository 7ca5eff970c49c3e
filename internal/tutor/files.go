package tutor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// filesChanged looks at files that were written, and at the cluster, which may be about to be told.
func (t *Tutor) filesChanged(names []string) {
	if len(names) > 0 {
		t.do(SeeFiles{names})
		t.lookNow()
	}
}

// pending returns the files that the cluster does not have as they are.
func (t *Tutor) pending() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if len(t.files[name].Pending) > 0 {
			names = append(names, name)
		}
	}
	return names
}

func (t *Tutor) filesSeen(files []FileState) {
	for _, f := range files {
		was := t.files[f.Name]
		switch {
		case f.Gone || len(f.Faults) == 0 && len(f.Pending) == 0:
			delete(t.files, f.Name)
			if len(was.Pending) > 0 && !f.Gone {
				t.sayAbout(f.Name, Good, f.Name+": the cluster has it as you saved it.")
				if t.hint != nil {
					t.hint.Stale = true
				}
			}
			continue
		case slices.Equal(f.Faults, was.Faults) && slices.Equal(f.Pending, was.Pending):
			continue
		}
		t.files[f.Name] = f
		for _, line := range fileLines(f) {
			t.sayAbout(f.Name, Bad, line)
		}
	}
}

// fileLines says what is the matter with a file.
func fileLines(f FileState) []string {
	switch {
	case len(f.Faults) > 0:
		return f.Faults
	case len(f.Pending) > 0:
		return []string{fmt.Sprintf("%s is saved, not applied yet (%s): kubectl apply -f %s", f.Name, strings.Join(f.Pending, ", "), f.Name)}
	}
	return nil
}
