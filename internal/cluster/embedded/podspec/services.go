package podspec

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// serviceVariables are what containers are told about Services
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables): always about
// default/kubernetes, which is how programs find the API server, and about those of the pod's namespace unless
// enableServiceLinks is false.
func (n *Node) serviceVariables(pod *corev1.Pod) (map[string]string, error) {
	variables := map[string]string{}
	if n.Services == nil {
		return variables, nil
	}
	if api, err := n.Services.Services(metav1.NamespaceDefault).Get("kubernetes"); err == nil {
		addServiceVariables(variables, api)
	}
	if links := pod.Spec.EnableServiceLinks; links != nil && !*links {
		return variables, nil
	}
	services, err := n.Services.Services(pod.Namespace).List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("services of namespace %s: %w", pod.Namespace, err)
	}
	for _, service := range services {
		addServiceVariables(variables, service)
	}
	return variables, nil
}

// addServiceVariables adds NAME_SERVICE_HOST and NAME_SERVICE_PORT, and the variables that Docker's links had.
func addServiceVariables(variables map[string]string, service *corev1.Service) {
	address := service.Spec.ClusterIP
	if address == "" || address == corev1.ClusterIPNone || len(service.Spec.Ports) == 0 {
		return
	}
	prefix := variableName(service.Name)
	variables[prefix+"_SERVICE_HOST"] = address
	variables[prefix+"_SERVICE_PORT"] = strconv.Itoa(int(service.Spec.Ports[0].Port))
	for i, port := range service.Spec.Ports {
		number := strconv.Itoa(int(port.Port))
		if port.Name != "" {
			variables[prefix+"_SERVICE_PORT_"+variableName(port.Name)] = number
		}
		protocol := strings.ToLower(string(port.Protocol))
		if protocol == "" {
			protocol = "tcp"
		}
		url := protocol + "://" + net.JoinHostPort(address, number)
		if i == 0 {
			variables[prefix+"_PORT"] = url
		}
		link := prefix + "_PORT_" + number + "_" + strings.ToUpper(protocol)
		variables[link] = url
		variables[link+"_PROTO"] = protocol
		variables[link+"_PORT"] = number
		variables[link+"_ADDR"] = address
	}
}

func variableName(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
