package replay

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ingresslab/ingresslab/internal/cluster"
	"github.com/ingresslab/ingresslab/internal/lesson"
)

// words returns an output in the words of a lesson: what is only so on this machine, or in this cluster, is called as a student with
// a checkout in the home directory and the default cluster finds it. Nothing of the machine gets into a lesson.
func (p *player) words(output string) string {
	output = strings.ReplaceAll(output, "\r\n", "\n")
	output = lesson.WithDefaultPorts(output, p.env.Addresses)
	for _, path := range []struct{ own, lesson string }{
		{p.kube, "~/.local/state/ingresslab/" + p.env.Cluster.Provider + "/" + cluster.DefaultName + "/kubeconfig"},
		{p.workspace(), "~/ingresslab/workspace/" + filepath.Base(p.lab.Dir)},
		{p.dir, "~/ingresslab"},
		{p.env.Root, "~/ingresslab"},
		{home(), "~"},
	} {
		if len(path.own) > 1 {
			output = strings.ReplaceAll(output, path.own, path.lesson)
		}
	}
	if own := p.env.Cluster.Name; own != cluster.DefaultName && own != "" {
		output = strings.ReplaceAll(output, " --name "+own, "")
		node := regexp.MustCompile(`\b` + regexp.QuoteMeta(own) + `-(control-plane|worker\d*)\b`)
		output = node.ReplaceAllString(output, cluster.DefaultName+"-$1")
	}
	return output
}

func home() string {
	dir, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return dir
}
