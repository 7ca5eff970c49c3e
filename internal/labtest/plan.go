package labtest

import (
	"errors"

	"github.com/ingresslab/ingresslab/internal/lab"
	"github.com/ingresslab/ingresslab/internal/scenario"
)

// LoadPlan loads the labs and scenarios that args name, in the directories labs and scenarios. If a lab and a scenario have the
// same name, it loads both. Without args, it loads all labs, and all scenarios with mutants.
func LoadPlan(labs, scenarios string, args []string) (Plan, error) {
	if len(args) == 0 {
		return loadAll(labs, scenarios)
	}
	var plan Plan
	seen := map[string]bool{}
	for _, arg := range args {
		dir, noLab := lab.Find(labs, arg)
		paths, noScenario := scenario.Find(scenarios, arg)
		if noLab != nil && noScenario != nil {
			return plan, errors.Join(noScenario, noLab)
		}
		if noLab == nil && !seen[dir] {
			seen[dir] = true
			if err := plan.addLab(dir); err != nil {
				return plan, err
			}
		}
		for _, path := range paths {
			if seen[path] {
				continue
			}
			seen[path] = true
			s, err := scenario.Load(path)
			if err != nil {
				return plan, err
			}
			plan.Scenarios = append(plan.Scenarios, s)
		}
	}
	return plan, nil
}

func (p *Plan) addLab(dir string) error {
	l, err := lab.Load(dir)
	if err != nil {
		return err
	}
	p.Labs = append(p.Labs, l)
	return nil
}

func loadAll(labs, scenarios string) (plan Plan, err error) {
	entries, err := lab.List(labs)
	if err != nil {
		return plan, err
	}
	for _, e := range entries {
		if err := plan.addLab(e.Dir); err != nil {
			return plan, err
		}
	}
	paths, err := scenario.Find(scenarios, "*")
	if err != nil {
		return plan, err
	}
	for _, path := range paths {
		s, err := scenario.Load(path)
		if err != nil {
			return plan, err
		}
		if len(s.Mutants) > 0 {
			plan.Scenarios = append(plan.Scenarios, s)
		}
	}
	return plan, nil
}
