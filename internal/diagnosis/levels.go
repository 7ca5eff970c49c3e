package diagnosis

import (
	"fmt"
	"strings"
)

// Tiers returns what there is to say about a finding to a student, each more open than the one before: a question, where to look,
// the answer. There are always three.
func (f Finding) Tiers() []string {
	said, is := advice[f.Code]
	kind, name, _ := strings.Cut(f.Object, "/")
	switch {
	case f.Expected == name && (f.Code == IngressMissing || f.Code == ServiceMissing):
		said = byName(kind, name)
	case !is:
		said = advice[ControllerSays]
	}
	return []string{said.question, said.look, sentence(f.Text) + said.mend(f)}
}

// byName is for an object that has to be there under its name.
func byName(kind, name string) said {
	return said{
		"Is there an object of the kind and name that is wanted, and in the namespace of the lab?",
		fmt.Sprintf("`kubectl get %s --all-namespaces` lists them, with their namespaces.", map[string]string{"ingress": "ingresses", "service": "services"}[kind]),
		fmt.Sprintf("Make one that is called %s. If you have it under another name, or in another namespace, delete that one.", name),
	}
}

// said is what is said for one code: a question, where to look, and how to mend it where the finding itself does not say that.
type said struct {
	question, look, answer string
}

// mend completes the answer by what would be right.
func (s said) mend(f Finding) string {
	text := ""
	if s.answer != "" {
		text = " " + s.answer
	}
	if f.Field != "" && f.Expected != "" {
		text += fmt.Sprintf(" In %s, %s has to be: %s.", f.Object, f.Field, f.Expected)
	}
	return text
}

var advice = map[string]said{
	IngressMissing: {"Who tells the controller about this host?",
		"`kubectl get ingresses` lists the rules there are: is one of them for the host that is asked for?",
		"Write an Ingress with a rule for it, and apply it."},
	ClassMissing: {"How does a controller know that an Ingress is meant for it?",
		"`kubectl get ingresses` has a column CLASS. Compare it with `kubectl get ingressclasses`.", ""},
	ClassUnknown: {"Does the class that the Ingress names exist?",
		"Compare the column CLASS of `kubectl get ingresses` with `kubectl get ingressclasses`.", ""},
	ClassForeign: {"Whose class does the Ingress name?",
		"`kubectl get ingressclasses` shows which controller each class belongs to.", ""},
	DeploymentMissing: {"What are the pods made of that should answer?",
		"`kubectl get deployments,pods` shows what there is.", "Apply the manifest of the Deployment, or make it with `kubectl create deployment`."},
	HostUnmatched: {"Which host does the request ask for, and which one is in the rule?",
		"Compare the host in your URL with the column HOSTS of `kubectl get ingresses`, letter by letter.", ""},
	PathTypeExact: {"What does the path's type say about longer paths?",
		"`kubectl get ingress -o yaml` shows pathType. Exact takes one path and no other.", ""},
	PathUnmatched: {"Which path does the request ask for, and which ones does the Ingress know?",
		"`kubectl describe ingress` lists the paths. A Prefix takes whole path elements: /app takes /app/x and not /apple.", ""},
	RuleTaken: {"Might somebody else have this host and path already?",
		"`kubectl get ingresses --all-namespaces` shows every rule of the cluster; `kubectl describe ingress` has an Event about it.",
		"Take another host or path, or delete the one of the two that is too many."},
	RuleUnwanted: {"Who answers, although nobody should?",
		"The header X-Ingresslab-Reason of the answer says why it came from there, and so does `ingresslab explain URL`.", "Take it out, and apply; or delete the Ingress, if there is nothing else in it."},
	ServiceMissing: {"Does the Service that the rule names exist?",
		"Compare the backends in `kubectl describe ingress` with `kubectl get services`.", ""},
	ServiceWrong: {"Which Service should answer, and which one is in the rule?",
		"`kubectl describe ingress` shows the Service of each path, and `ingresslab explain URL` which one a request goes to.", ""},
	DefaultBackendMissing: {"Who answers what no rule knows?",
		"`kubectl describe ingress` shows the default backend in the line Default backend.",
		"An Ingress names it in spec.defaultBackend, beside its rules, and it has to be a Service of the same namespace."},
	PortNameIsService: {"Is that the name of a port?",
		"`kubectl get service -o yaml` shows the ports of a Service: each has a number, and may have a name of its own.",
		"Write port.number with a number, or port.name with the name that the port has in the Service."},
	PortNameMissing: {"Does the Service have a port of that name?",
		"`kubectl describe service` lists its ports, with their names if they have any.", ""},
	ServicePortMissing: {"Does the Service have that port?",
		"`kubectl get services` has a column PORT(S). An Ingress names the Service's port, not that of the pods.", ""},
	ScaledToZero: {"How many pods are there that could answer?",
		"`kubectl get deployments` shows how many pods are wanted and ready.", "`kubectl scale deployment NAME --replicas=1` makes one."},
	SelectorMatchesNothing: {"Which pods does the Service mean?",
		"Compare the column SELECTOR of `kubectl get services -o wide` with `kubectl get pods --show-labels`.", ""},
	ImageMissing: {"Could the pod start at all?",
		"`kubectl get pods` shows a STATUS, and the Events at the end of `kubectl describe pod` say more.", "Correct the name or the tag of the image."},
	PodsNotReady: {"Are the pods ready to answer?",
		"`kubectl get pods` shows it in the column READY; `kubectl describe pod` and `kubectl logs` say why not.", ""},
	TargetPortClosed: {"On which port do the pods listen?",
		"`kubectl get endpointslices` shows the port that requests are sent to, and `kubectl describe pod` the ports of the containers.", ""},
	EndpointsNone: {"To which addresses could the request go?",
		"`kubectl get endpointslices` lists them by Service.", "It may take a moment until a pod that is ready becomes an endpoint."},
	NodePortMissing: {"On which ports do the nodes listen?",
		"`kubectl get services --all-namespaces` shows node ports after the colon in PORT(S).",
		"Give a Service of type NodePort that port, in spec.ports[0].nodePort."},
	SecretMissing: {"Is the Secret there, and in the same namespace?",
		"`kubectl get secrets` lists those of this namespace. An Ingress cannot reach into another one.", ""},
	SecretTypeWrong: {"What sort of Secret is it?",
		"`kubectl get secrets` has a column TYPE.", "Delete it, and make it again with `kubectl create secret tls`."},
	SecretKeyMissing: {"What is in the Secret, and under which names?",
		"`kubectl describe secret` lists its keys.", "The name of the key decides, not that of the file it was made from."},
	CertificateInvalid: {"Is that a certificate, with the key that belongs to it, and is it still valid?",
		"`kubectl get secret NAME -o jsonpath='{.data.tls\\.crt}' | base64 -d | openssl x509 -noout -text` shows it.", "Make the pair anew, and the Secret from it."},
	CertificateHostMismatch: {"For which names is the certificate?",
		"`openssl s_client -connect 127.0.0.1:8443 -servername HOST` shows the certificate that clients get.", ""},
	AuthFileInvalid: {"Can the controller read the users and passwords?",
		"`kubectl get secret NAME -o jsonpath='{.data.auth}' | base64 -d` shows them: a line is user:hash, as `htpasswd` writes it.", ""},
	UserMissing: {"Whose name is in the Secret, and who comes in?",
		"`kubectl get secret NAME -o jsonpath='{.data.auth}' | base64 -d` shows the users: a line is user:hash. Upper and lower case are not the same.",
		"Make the line again, with the right name, and put it into the Secret."},
	AnnotationUnknown: {"Is the annotation spelled as the controller knows it?",
		"`kubectl describe ingress` shows the annotations, and an Event about those that have no effect.", ""},
	AnnotationInvalid: {"Can the controller read the value of the annotation?",
		"`kubectl describe ingress` has an Event about it. Values are texts: numbers and true need quotes in YAML.", ""},
	CanaryWithoutMain: {"Of what is this Ingress to take a share?",
		"A canary needs another Ingress with the same host, path and pathType: compare the two in `kubectl describe ingress`.", ""},
	CanaryHostDiffers: {"Do the canary and the main Ingress speak of the same host?",
		"Compare the column HOSTS of `kubectl get ingresses`.", ""},
	ConfigMapInvalid: {"Does the controller understand its ConfigMap?",
		"`kubectl get events -n ingresslab-system` has an Event about it. Values are texts: true needs quotes in YAML.", ""},
	ControllerSays: {"What does the controller say about it?",
		"`kubectl describe ingress` shows its Events; `kubectl get events` those of the whole namespace.", ""},
}
