package cli

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/explain"
	"github.com/ingresslab/ingresslab/internal/kube"
)

func (a *app) explainCommand() *cobra.Command {
	var q explain.Question
	var output string
	c := &cobra.Command{
		Use:   "explain URL",
		Short: "Say where a request would go, and why",
		Long: `Ask the controller what it would do with a request, and why: the rule that wins, every
other rule that was considered and why it lost, what else would be asked of the client,
and the pods that could answer. Nothing is sent to any of them.

The question goes through the Kubernetes API, so it works where the ingress itself cannot
be reached.`,
		Example: `  ingresslab explain http://shop.test/cart
  ingresslab explain https://shop.test/ --header "X-Canary: always" --header "Cookie: user=me"
  ingresslab explain shop.test/admin --method POST --client 10.1.2.3 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("explain takes one URL, such as http://shop.test/path; see `ingresslab explain --help`")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(output, outputPretty, outputJSON); err != nil {
				return err
			}
			if q.URL = args[0]; !strings.Contains(q.URL, "://") {
				q.URL = "http://" + q.URL
			}
			client, err := a.connect(c.Context())
			if err != nil {
				return err
			}
			format := explain.Text
			if output == outputJSON {
				format = explain.JSON
			}
			answer, err := explain.Ask(c.Context(), client, q, format)
			var refused *explain.RefusedError
			if errors.As(err, &refused) {
				return usagef("%v", refused)
			}
			if err != nil {
				return err
			}
			printf(a.std.Out, "%s", answer)
			return nil
		},
	}
	c.Flags().StringVarP(&q.Method, "method", "X", http.MethodGet, "method of the request")
	c.Flags().StringArrayVarP(&q.Headers, "header", "H", nil, `header of the request, as "Name: value"; may be given several times`)
	c.Flags().StringVar(&q.Client, "client", "", "IP address that the request comes from (default that of the API server, which asks)")
	c.Flags().StringVar(&q.Draw, "random", "", "the number from 0 to 1 that shares of canaries are drawn with (default 0.5)")
	c.Flags().StringVarP(&output, "output", "o", outputPretty, "how to print it: pretty or json")
	return c
}

// client is what talks to the cluster's API server.
func (a *app) client(ctx context.Context) (*kube.Client, error) {
	_, up, err := a.cluster(ctx)
	if err != nil {
		return nil, err
	}
	return kube.New(up.Config)
}
