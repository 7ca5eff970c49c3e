package lesson_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	taskName = regexp.MustCompile(`^(\d+)/([a-z][-a-z0-9]*)$`)
	stepName = regexp.MustCompile(`^([a-z][-a-z0-9]*)(?:: (.+))?$`)
)

// docs/curriculum.md must name only tasks and steps that exist.
func TestCurriculumNamesExist(t *testing.T) {
	data, err := os.ReadFile("../../docs/curriculum.md")
	if err != nil {
		t.Fatal(err)
	}
	known := names(t)
	for i, line := range strings.Split(string(data), "\n") {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		_, places, _ := strings.Cut(line[2:], " | ")
		for _, m := range quoted.FindAllStringSubmatch(places, -1) {
			if name := m[1]; (taskName.MatchString(name) || stepName.MatchString(name)) && !known[name] && name != "make up" {
				t.Errorf("docs/curriculum.md:%d: %s does not exist", i+1, name)
			}
		}
	}
}

// docs/curriculum.md must name a task of every lab, and must not list an existing lab as planned.
func TestCurriculumListsAllLabs(t *testing.T) {
	data, err := os.ReadFile("../../docs/curriculum.md")
	if err != nil {
		t.Fatal(err)
	}
	labs, err := lab.List("../../labs")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range labs {
		if strings.Contains(string(data), fmt.Sprintf("**%d**", l.Number)) {
			t.Errorf("docs/curriculum.md lists lab %d, %s, as planned", l.Number, l.Name)
		}
		if !strings.Contains(string(data), fmt.Sprintf("`%d/", l.Number)) {
			t.Errorf("docs/curriculum.md does not name any task of lab %d, %s", l.Number, l.Name)
		}
	}
}

// names returns the names of all tasks ("1/cheddar"), scenarios ("canary"), and named steps
// ("canary: NAME"), with nested steps.
func names(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	labs, err := lab.List("../../labs")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range labs {
		l, err := lab.Load(entry.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range l.Tasks {
			known[fmt.Sprintf("%d/%s", l.Number, task.ID)] = true
		}
	}
	scenarios, err := scenario.List("../../scenarios")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range scenarios {
		s, err := scenario.Load("../../scenarios/" + entry.Name + "/" + scenario.FileName)
		if err != nil {
			t.Fatal(err)
		}
		known[entry.Name] = true
		for steps := slices.Clone(s.Steps); len(steps) > 0; steps = steps[1:] {
			known[entry.Name+": "+steps[0].Name] = true
			if steps[0].Traffic != nil {
				steps = append(steps, steps[0].Traffic.While...)
			}
		}
	}
	return known
}
