package scenario

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// verb is what a step does. A new verb is a type in a file of its own, verb_NAME.go, and a field of Step.
type verb interface {
	// validate reports what is wrong with the verb's fields, which stand at path.
	validate(c *checker, path string)
	// traits returns what the rest of the package has to know of the step.
	traits() traits
	// describe says in one line what the step does, with the names of the run.
	describe(names isolation) string
	// run executes the step, and writes the outcome into the report. The error is the cause if the step is Broken.
	run(ctx context.Context, r *runner, report *StepReport) error
}

// observer is a verb that changes nothing, so that a check can use it.
type observer interface {
	verb
	// validateInCheck reports what a check cannot have.
	validateInCheck(c *checker, path string)
	// poll compares once.
	poll(ctx context.Context, r *runner) pollResult
	// streak is how many polls in a row have to hold.
	streak() int
}

// replayer is a verb whose effects a run has to know when it continues after the step.
type replayer interface {
	replay(r *runner)
}

// traits are the properties of a step that do not depend on a run. The zero value is a verb that refers to nothing.
type traits struct {
	// inSolution is true if a solution can use the verb.
	inSolution bool
	// once is true if the result depends on chance, so that the step is never repeated.
	once bool
	// targets are manifest files, and KIND/NAME of objects.
	targets []string
	// request is the request that the step sends; nil if it sends none.
	request *Expect
	// session is the session that the step takes part in.
	session string
	// certificate is the certificate that the step makes.
	certificate *Certificate
	// while are the steps that run during this one.
	while []Step
	// pod is the pod that the step uses, which a manifest has to have.
	pod fieldRef
	// shared is what the step changes outside the run's namespace.
	shared fieldRef
}

// fieldRef is something that a field of a verb refers to. field is its path below the verb.
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

// Verbs returns the keys of the verbs, in the order in which to explain them.
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

// verbs returns the verbs that a step has. A loaded step has one.
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

// only returns the step's verb; its key is empty if the step has none or several, which a loaded step never has.
func (s Step) only() keyed {
	if verbs := s.verbs(); len(verbs) == 1 {
		return verbs[0]
	}
	return keyed{"", noVerb{}}
}

// Verb returns the key of the step's verb; empty if it has none or several, which a loaded step never has.
func (s Step) Verb() string { return s.only().key }

// observer returns the step's verb; nil if the verb changes something.
func (s Step) observer() observer {
	o, _ := s.only().verb.(observer)
	return o
}

// asks returns the request of a step, in the form of an Expect; nil if it sends none.
func (s Step) asks() *Expect { return s.only().traits().request }

// UnknownField implements strictyaml.UnknownFielder: an unknown key of a step was probably meant as a verb.
func (Step) UnknownField(name string) string {
	return fmt.Sprintf("unknown verb %q, the verbs are %s", name, strings.Join(Verbs(), ", "))
}

// noVerb is the verb of a step without one.
type noVerb struct{}

func (noVerb) validate(*checker, string) {}
func (noVerb) traits() traits            { return traits{} }
func (noVerb) describe(isolation) string { return "" }
func (noVerb) run(_ context.Context, _ *runner, report *StepReport) error {
	report.Outcome = Broken
	return errors.New("the step has no verb")
}

// eachStep visits steps and the steps inside of them, with their paths.
func eachStep(path string, steps []Step, visit func(path string, step Step)) {
	for i, step := range steps {
		at := fmt.Sprintf("%s[%d]", path, i)
		visit(at, step)
		for _, v := range step.verbs() {
			eachStep(at+"."+v.key+".while", v.traits().while, visit)
		}
	}
}
