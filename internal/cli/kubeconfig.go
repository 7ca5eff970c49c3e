package cli

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) kubeconfigCommand() *cobra.Command {
	var export bool
	c := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the cluster's kubeconfig",
		Long:  "Print the path of the cluster's kubeconfig for kubectl. The command does not change your own kubeconfig.",
		Example: `  kubectl --kubeconfig "$(ingresslab kubeconfig)" get nodes
  eval "$(ingresslab kubeconfig --export)"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, up, err := a.cluster(c.Context())
			if err != nil {
				return err
			}
			if export {
				printf(a.std.Out, "%s\n", exportLine(up))
			} else {
				printf(a.std.Out, "%s\n", up.Kubeconfig)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&export, "export", false, "print an export command for the shell")
	return c
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./~:@%+=,-]+$`)

// shellQuote quotes a word for a POSIX shell.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
