package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPatchText is how much of a patch a description shows.
const maxPatchText = 120

func (p Patch) describe(names isolation) string {
	kind, _, _ := strings.Cut(p.Object, "/")
	if strings.EqualFold(kind, "ingress") {
		p = names.patch(p, "Ingress")
	}
	text := ""
	if _, body, err := p.body(); err == nil {
		text = string(body)
	}
	if runes := []rune(text); len(runes) > maxPatchText {
		text = string(runes[:maxPatchText]) + "…"
	}
	return "patch " + p.Object + inNamespace(p.Namespace) + " with " + text
}

func inNamespace(namespace string) string {
	if namespace == "" || namespace == noNamespace {
		return ""
	}
	return " in " + namespace
}

func (ro Rollout) describe() string {
	what := "wait for the rollout of "
	switch {
	case ro.Restart != "":
		what = "restart "
	case ro.Undo != "":
		what = "undo the last rollout of "
	}
	return what + ro.target() + inNamespace(ro.Namespace)
}

func (e Exec) describe(names isolation) string {
	text := fmt.Sprintf("run %s in %s", strings.Join(names.texts(e.Command), " "), e.Pod)
	var parts []string
	if e.ExitCode != 0 {
		parts = append(parts, fmt.Sprintf("exits with %d", e.ExitCode))
	}
	for _, part := range names.texts(e.Contains) {
		parts = append(parts, fmt.Sprintf("writes %q", part))
	}
	for _, part := range names.texts(e.NotContains) {
		parts = append(parts, fmt.Sprintf("does not write %q", part))
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

func (n Never) describe(names isolation) string {
	text := fmt.Sprintf("never for %s: %s", n.For.or(neverFor), n.Expect.describe(names))
	if len(n.While) > 0 {
		text += ", while steps run"
	}
	return text
}

func (f Fault) describe() string {
	if f.Node != nil {
		return fmt.Sprintf("%s %s", f.Node.Action, f.Node.target())
	}
	p := *f.Pod
	do := map[string]string{"unready": "make unready"}[p.Action]
	if do == "" {
		do = p.Action
	}
	switch {
	case p.Session != "":
		return do + " the pod that answered last in session " + p.Session
	case p.Name != "":
		return do + " pod " + p.Name
	}
	count := "a pod"
	if p.Count > 1 {
		count = fmt.Sprintf("%d pods", p.Count)
	}
	of := p.Workload
	if p.Service != "" {
		of = "service " + p.Service
	}
	return fmt.Sprintf("%s %s of %s", do, count, of) + inNamespace(p.Namespace)
}

func (f NodeFault) target() string {
	switch {
	case f.Service != "":
		return "the node of a pod of service " + f.Service
	case f.Role != "":
		return "a " + f.Role + " node"
	}
	return "node " + f.Name
}

func (w Wait) describeObject() string {
	object := w.Object + inNamespace(w.Namespace)
	switch {
	case w.Exists != nil && !*w.Exists:
		return object + " is gone"
	case w.JSONPath != "" && w.Value != nil:
		value := strconv.Quote(*w.Value)
		if *w.Value != "" {
			return fmt.Sprintf("%s of %s is %s", w.JSONPath, object, value)
		}
		return fmt.Sprintf("%s of %s is empty", w.JSONPath, object)
	}
	return object + " is there"
}
