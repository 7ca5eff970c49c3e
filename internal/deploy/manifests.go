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

// versionLabel is Kubernetes' recommended label for a version
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/).
const versionLabel = "app.kubernetes.io/version"

// Render returns the objects of a kustomization that install the controller, in the order to apply them.
// controllerImage replaces the controller's image. root is the checkout, and manifests a path in it.
func Render(root, manifests, controllerImage string) ([]*unstructured.Unstructured, error) {
	colon := strings.LastIndexByte(controllerImage, ':') // the first colon can be that of a registry's port
	name, tag := controllerImage[:max(colon, 0)], controllerImage[colon+1:]
	if name == "" || tag == "" || strings.Contains(tag, "/") {
		return nil, fmt.Errorf("controller image %q has no tag", controllerImage)
	}
	dir := filepath.Join(root, filepath.FromSlash(manifests))
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", manifests, err)
	}
	retag := imagetag.LegacyFilter{ImageTag: types.Image{Name: image.Controller, NewName: name, NewTag: tag}}
	if err := resources.ApplyFilter(retag); err != nil {
		return nil, fmt.Errorf("render %s: %w", manifests, err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", manifests, err)
	}
	objs, err := kube.Decode(manifests, text)
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
