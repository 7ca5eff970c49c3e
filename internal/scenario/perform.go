package scenario

import "context"

// Perform carries out the steps of a solution in a namespace that is there, up to the first that does not succeed. The
// manifests are those that apply and delete name, by those names; their objects go into the namespace, but for those that
// name another one. Objects and hosts are taken as they are, and nothing is removed or put back afterwards: what the steps
// have changed outside of the namespace is for the caller to give back. It returns the reports of the steps that ran; the
// last one tells how it ended.
func Perform(ctx context.Context, env Env, namespace string, manifests map[string]Manifest, steps []Step) []StepReport {
	r := checkRunner(env, namespace)
	r.manifests = manifests
	return r.perform(ctx, steps)
}

// perform runs steps up to the first that does not pass.
func (r *runner) perform(ctx context.Context, steps []Step) []StepReport {
	var reports []StepReport
	for i, step := range steps {
		done, _ := r.step(ctx, i, step) // the report carries the error
		reports = append(reports, done)
		if done.Outcome != Passed {
			break
		}
	}
	return reports
}
