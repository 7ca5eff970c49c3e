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
		Long:  "Print the path of the file with which kubectl reaches the cluster. Your own kubeconfig is not touched.",
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
	c.Flags().BoolVar(&export, "export", false, "print a line for the shell instead")
	return c
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./~:@%+=,-]+$`)

// shellQuote writes a word so that a POSIX shell reads it back as it is.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
