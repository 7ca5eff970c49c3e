package image

import "strconv"

// Version is the version of the project's images that people write in
// manifests by hand.
const Version = "0.1.0"

// Controller is the name of the controller's image without a tag.
const Controller = "ingresslab/ingress-controller"

// nonRoot is the user the controller runs as: any number but 0 would do, this
// one is what distroless images made customary.
const nonRoot = "65532:65532"

// recipe is what one image consists of beside its program.
type recipe struct {
	refs       []string // references, the first for people
	program    string   // the directory under cmd/
	links      []string // further paths under which the program is found
	entrypoint []string
	cmd        []string
	user       string // empty is root
}

// recipes lists all images. The demo workloads are one program; what it does
// is in each image's command, and `kubectl run ... -- ARGS` replaces that.
// Their names and tags are those of the texts that the labs follow.
func recipes() []recipe {
	list := []recipe{{
		refs:       []string{Controller + ":" + Version},
		program:    "ingress-controller",
		entrypoint: []string{"/ingress-controller"},
		user:       nonRoot,
	}}
	for _, cheese := range []string{"cheddar", "stilton", "wensleydale"} {
		list = append(list, workload("cheese:"+cheese, "cheese", "--cheese="+cheese))
	}
	for i, port := range []string{"8080", "9090"} {
		list = append(list, workload("backend:"+port, "backend", "--number="+strconv.Itoa(i+1), "--port="+port))
	}
	list = append(list, workload("default-backend:1.0", "default-backend", "--port=8080"))
	tools := workload("net-test:1.0", "net-test")
	// The program looks at the name it is called by, so that one can
	// `kubectl exec net-test -- curl ...` where no shell is.
	tools.links = []string{"bin/curl", "bin/nslookup", "bin/wget"}
	return append(list, tools)
}

// workload is an image of the demo program. Its user is root, because the
// texts deploy it to port 80 with plain `kubectl create deployment`.
func workload(ref string, cmd ...string) recipe {
	return recipe{refs: []string{ref}, program: "workload", entrypoint: []string{"/workload"}, cmd: cmd}
}
