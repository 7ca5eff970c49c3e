package deploy

import (
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/filters/imagetag"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/ingresslab/ingresslab/internal/image"
	"github.com/ingresslab/ingresslab/internal/kube"
)

// versionLabel is Kubernetes' recommended label for the version of what an
// object belongs to
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
const versionLabel = "app.kubernetes.io/version"

// variant is the kustomization that is installed into the lab's own clusters: there a port of this machine leads to a port of
// a node.
const variant = "manifests/kind"

// Render returns the objects that install the controller, in the order in
// which to apply them, with the given reference in place of the controller's
// image. root is the checkout, and variant the kustomization in it.
func Render(root, variant, controllerImage string) ([]*unstructured.Unstructured, error) {
	colon := strings.LastIndexByte(controllerImage, ':') // the first may be that of a registry's port
	name, tag := controllerImage[:max(colon, 0)], controllerImage[colon+1:]
	if name == "" || tag == "" || strings.Contains(tag, "/") {
		return nil, fmt.Errorf("controller image %q: has no tag", controllerImage)
	}
	dir := filepath.Join(root, filepath.FromSlash(variant))
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", variant, err)
	}
	retag := imagetag.LegacyFilter{ImageTag: types.Image{Name: image.Controller, NewName: name, NewTag: tag}}
	if err := resources.ApplyFilter(retag); err != nil {
		return nil, fmt.Errorf("render %s: %w", variant, err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", variant, err)
	}
	objs, err := kube.Decode(variant, text)
	if err != nil {
		return nil, err
	}
	for _, o := range objs {
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[versionLabel] = image.Version
		o.SetLabels(labels)
	}
	return objs, nil
}
