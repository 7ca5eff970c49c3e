package scenario

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// verb is the action of a step. To add a verb, add a type and a field of Step.
type verb interface {
	// validate reports invalid fields. path is the position of the verb.
	validate(c *checker, path string)
	// traits returns the properties of the step.
	traits() traits
	// describe describes the step in one line, with the names of the run.
	describe(names isolation) string
	// run executes the step, and writes the outcome into the report. The error is the cause of
	// Broken.
	run(ctx context.Context, r *runner, report *StepReport) error
}

// observer is a verb that changes nothing, so that a check can use it.
type observer interface {
	verb
	// validateInCheck reports fields that are not allowed in a check.
	validateInCheck(c *checker, path string)
	// poll compares the cluster with the expectation once.
	poll(ctx context.Context, r *runner) pollResult
	// streak is how many polls in a row have to pass.
	streak() int
}

// replayer is a verb whose effects a continued run has to know.
type replayer interface {
	replay(r *runner)
}

// traits are properties of a step that do not depend on a run. The zero value is that of a step
// that refers to no objects.
type traits struct {
	inSolution bool // inSolution is true if a solution can use the verb
	// once is true if the result depends on chance, so that the step is never repeated.
	once        bool
	targets     []string     // targets are manifest files, and KIND/NAME of objects
	request     *Expect      // request is the request that the step sends, or nil
	session     string       // session is the session that the step takes part in
	certificate *Certificate // certificate is the certificate that the step makes
	while       []Step       // while are the steps that run during this one
	pod         fieldRef     // pod is the pod that the step uses, which needs a manifest
	shared      fieldRef     // shared is what the step changes outside the run's namespace
}

// fieldRef is a reference in a field of a verb. field is the path below the verb.
type fieldRef struct{ field, name string }

// keyed is a verb with its key in the file.
type keyed struct {
	key string
	verb
}

// allVerbs returns an empty verb of each type, in the order of the fields of Step.
func allVerbs() []keyed {
	var all []keyed
	step := reflect.TypeFor[Step]()
	for i := range step.NumField() {
		field := step.Field(i)
		value := reflect.New(field.Type).Elem()
		if field.Type.Kind() == reflect.Pointer {
			value = reflect.New(field.Type.Elem())
		}
		if v, is := value.Interface().(verb); is {
			all = append(all, keyed{keyOfField(field), v})
		}
	}
	return all
}

// Verbs returns the keys of the verbs, in the order of documentation.
func Verbs() []string {
	var keys []string
	for _, v := range allVerbs() {
		keys = append(keys, v.key)
	}
	return keys
}

func keyOfField(field reflect.StructField) string {
	key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return key
}

// verbs returns the verbs of a step: exactly one if the step was loaded.
func (s Step) verbs() []keyed {
	var all []keyed
	value := reflect.ValueOf(s)
	for i := range value.NumField() {
		if v, is := value.Field(i).Interface().(verb); is && !value.Field(i).IsNil() {
			all = append(all, keyed{keyOfField(value.Type().Field(i)), v})
		}
	}
	return all
}

// only returns the step's verb. Its key is empty if the step has no verb or several verbs.
func (s Step) only() keyed {
	if verbs := s.verbs(); len(verbs) == 1 {
		return verbs[0]
	}
	return keyed{"", noVerb{}}
}

// Verb returns the key of the step's verb. It is empty if the step has no verb or several verbs.
func (s Step) Verb() string { return s.only().key }

// observer returns the step's verb. It is nil if the verb changes something.
func (s Step) observer() observer {
	o, _ := s.only().verb.(observer)
	return o
}

// asks returns the request of a step as an Expect. It is nil if the step sends no request.
func (s Step) asks() *Expect { return s.only().traits().request }

// UnknownField implements strictyaml.UnknownFielder: an unknown key of a step was probably a verb.
func (Step) UnknownField(name string) string {
	return fmt.Sprintf("unknown verb %q; the verbs are %s", name, strings.Join(Verbs(), ", "))
}

// noVerb is the verb of a step that has no verb.
type noVerb struct{}

func (noVerb) validate(*checker, string) {}
func (noVerb) traits() traits            { return traits{} }
func (noVerb) describe(isolation) string { return "" }
func (noVerb) run(_ context.Context, _ *runner, report *StepReport) error {
	return report.broken(errors.New("the step has no verb"))
}

// eachStep calls visit for each step and nested step, with its position.
func eachStep(path string, steps []Step, visit func(path string, step Step)) {
	for i, step := range steps {
		at := fmt.Sprintf("%s[%d]", path, i)
		visit(at, step)
		for _, v := range step.verbs() {
			eachStep(at+"."+v.key+".while", v.traits().while, visit)
		}
	}
}
