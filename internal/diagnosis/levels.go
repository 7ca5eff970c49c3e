package diagnosis

import (
	"fmt"
	"strings"
)

// Levels returns the three hint levels of a finding: a question, where to look, and the answer.
func (f Finding) Levels() []string {
	h, known := hints[f.Code]
	kind, name, _ := strings.Cut(f.Object, "/")
	switch {
	case f.Expected == name && (f.Code == IngressMissing || f.Code == ServiceMissing):
		h = byName(kind, name)
	case !known:
		h = hints[ControllerSays]
	}
	answer := sentence(f.Text)
	if h.fix != "" {
		answer += " " + h.fix
	}
	if f.Field != "" && f.Expected != "" {
		answer += fmt.Sprintf(" In %s, %s must be: %s.", f.Object, f.Field, f.Expected)
	}
	return []string{h.question, h.look, answer}
}

// byName returns the hint for an object that must exist under its name.
func byName(kind, name string) hint {
	plural := map[string]string{"ingress": "ingresses", "service": "services"}[kind]
	return hint{
		"Does an object of that kind and name exist in the namespace of the lab?",
		fmt.Sprintf("`kubectl get %s --all-namespaces` lists them with their namespaces.", plural),
		fmt.Sprintf("Create one with the name %s. If you have it under another name, or in another namespace, delete that one.", name),
	}
}

// hint has the levels for one code. fix is empty if the finding itself says how to fix the fault.
type hint struct{ question, look, fix string }

var hints = map[string]hint{
	IngressMissing: {"Which object tells the controller about this host?",
		"`kubectl get ingresses` lists the rules: is one of them for the host of the request?",
		"Write an Ingress with a rule for it, and apply it."},
	ClassMissing: {"How does a controller know that it should serve an Ingress?",
		"`kubectl get ingresses` has a column CLASS. Compare it with `kubectl get ingressclasses`.", ""},
	ClassUnknown: {"Does the class of the Ingress exist?",
		"Compare the column CLASS of `kubectl get ingresses` with `kubectl get ingressclasses`.", ""},
	ClassForeign: {"Which controller serves the class of the Ingress?",
		"`kubectl get ingressclasses` shows the controller of each class.", ""},
	DeploymentMissing: {"Which object creates the pods that should respond?",
		"`kubectl get deployments,pods` shows what exists.", "Apply the manifest of the Deployment, or create it with `kubectl create " +
			"deployment`."},
	HostUnmatched: {"Which host does the request have, and which one does the rule have?",
		"Compare the host in your URL with the column HOSTS of `kubectl get ingresses`, letter by letter.", ""},
	PathTypeExact: {"What does the pathType mean for longer paths?",
		"`kubectl get ingress -o yaml` shows `pathType`. Exact matches only one path.", ""},
	PathUnmatched: {"Which path does the request have, and which paths does the Ingress have?",
		"`kubectl describe ingress` lists the paths. A Prefix matches whole path elements: `/app` matches `/app/x` and not `/apple`.", ""},
	RuleTaken: {"Does another Ingress already have this host and path?",
		"`kubectl get ingresses --all-namespaces` shows every rule of the cluster; `kubectl describe ingress` has an Event about it.",
		"Use another host or path, or delete one of the two Ingresses."},
	RuleUnwanted: {"Which rule or default backend responds, although none should?",
		"The response header `X-Ingresslab-Reason` says why the response came from there, and so does `ingresslab explain URL`.",
		"Remove it and apply the Ingress, or delete the Ingress if it has nothing else."},
	ServiceMissing: {"Does the Service in the rule exist?",
		"Compare the backends in `kubectl describe ingress` with `kubectl get services`.", ""},
	ServiceWrong: {"Which Service should respond, and which one is in the rule?",
		"`kubectl describe ingress` shows the Service of each path, and `ingresslab explain URL` the one that a request goes to.", ""},
	DefaultBackendMissing: {"Which Service gets unmatched requests?",
		"`kubectl describe ingress` shows it in the line Default backend.",
		"An Ingress has it in `spec.defaultBackend`, next to its rules. It must be a Service of the same namespace."},
	PortNameIsService: {"Is that the name of a port?",
		"`kubectl get service -o yaml` shows the ports of a Service: each has a number, and can have a name.",
		"Write `port.number` with a number, or `port.name` with the name of the port in the Service."},
	PortNameMissing: {"Does the Service have a port of that name?",
		"`kubectl describe service` lists its ports, with their names if they have any.", ""},
	ServicePortMissing: {"Does the Service have that port?",
		"`kubectl get services` has a column PORT(S). An Ingress refers to the Service's port, not to that of the pods.", ""},
	ScaledToZero: {"How many pods can respond?",
		"`kubectl get deployments` shows how many pods are desired and ready.", "`kubectl scale deployment NAME --replicas=1` starts one."},
	SelectorMatchesNothing: {"Which pods does the Service select?",
		"Compare the column SELECTOR of `kubectl get services -o wide` with `kubectl get pods --show-labels`.", ""},
	ImageMissing: {"Can the pod start?",
		"`kubectl get pods` shows a STATUS, and the Events at the end of `kubectl describe pod` show more.",
		"Correct the name or the tag of the image."},
	PodsNotReady: {"Are the pods ready?",
		"`kubectl get pods` shows it in the column READY; `kubectl describe pod` and `kubectl logs` show the reason.", ""},
	TargetPortClosed: {"On which port do the pods listen?",
		"`kubectl get endpointslices` shows the port that gets requests, and `kubectl describe pod` the ports of the containers.", ""},
	EndpointsNone: {"Which addresses can get the request?",
		"`kubectl get endpointslices` lists them by Service.", "It can take a moment until a ready pod becomes an endpoint."},
	NodePortMissing: {"On which ports do the nodes listen?",
		"`kubectl get services --all-namespaces` shows node ports after the colon in PORT(S).",
		"Set that port in `spec.ports[0].nodePort` of a Service of type NodePort."},
	SecretMissing: {"Does the Secret exist in the same namespace?",
		"`kubectl get secrets` lists those of this namespace. An Ingress cannot use Secrets of another one.", ""},
	SecretTypeWrong: {"What is the type of the Secret?",
		"`kubectl get secrets` has a column TYPE.", "Delete it, and create it again with `kubectl create secret tls`."},
	SecretKeyMissing: {"Which keys does the Secret have?",
		"`kubectl describe secret` lists its keys.", "The name of the key matters, not that of its file."},
	CertificateInvalid: {"Is that a valid certificate with its own key, and has it not expired?",
		"`kubectl get secret NAME -o jsonpath='{.data.tls\\.crt}' | base64 -d | openssl x509 -noout -text` shows it.",
		"Create a new certificate and key, and the Secret from them."},
	CertificateHostMismatch: {"For which names is the certificate?",
		"`openssl s_client -connect 127.0.0.1:8443 -servername HOST` shows the certificate that clients get.", ""},
	AuthFileInvalid: {"Can the controller read the users and passwords?",
		"`kubectl get secret NAME -o jsonpath='{.data.auth}' | base64 -d` shows them: a line is user:hash, as `htpasswd` writes it.", ""},
	UserMissing: {"Which users does the Secret have, and which user logs in?",
		"`kubectl get secret NAME -o jsonpath='{.data.auth}' | base64 -d` shows the users: a line is user:hash. Upper and lower case differ.",
		"Create the line again with the right name, and put it into the Secret."},
	AnnotationUnknown: {"Does the controller know an annotation of that name?",
		"`kubectl describe ingress` shows the annotations, and an Event about those without effect.", ""},
	AnnotationInvalid: {"Can the controller read the value of the annotation?",
		"`kubectl describe ingress` has an Event about it. Values are strings: numbers and true need quotes in YAML.", ""},
	CanaryWithoutMain: {"Which Ingress does this canary take a share of?",
		"A canary needs another Ingress with the same host, path, and pathType: compare the two in `kubectl describe ingress`.", ""},
	CanaryHostDiffers: {"Do the canary and the main Ingress have the same host?",
		"Compare the column HOSTS of `kubectl get ingresses`.", ""},
	ConfigMapInvalid: {"Does the controller accept its ConfigMap?",
		"`kubectl get events -n ingresslab-system` has an Event about it. Values are strings: true needs quotes in YAML.", ""},
	ControllerSays: {"What does the controller report about it?",
		"`kubectl describe ingress` shows its Events; `kubectl get events` those of the whole namespace.", ""},
}
