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
	var q explain.Request
	var output outputFlags
	c := &cobra.Command{
		Use:   "explain URL",
		Short: "Explain how the controller routes a request",
		Long: `Show what the controller would do with a request, and why: the rule that matches, the reason why each
other candidate loses, further requirements for the client, and the pods that could respond. No pod
receives a request. The query goes through the Kubernetes API, so it works even if you can't reach the
controller's ports.

This command is not ` + "`kubectl explain`" + `, which documents the fields of API objects.`,
		Example: `  ingresslab explain http://shop.test/cart
  ingresslab explain https://shop.test/ --header "X-Canary: always" --header "Cookie: user=me"
  ingresslab explain shop.test/admin --method POST --client 10.1.2.3 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("explain needs one URL, such as http://shop.test/path; see `ingresslab explain --help`")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := output.check(); err != nil {
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
			if output.output == outputJSON {
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
	c.Flags().StringVarP(&q.Method, "method", "X", http.MethodGet, "HTTP method of the request")
	c.Flags().StringArrayVarP(&q.Headers, "header", "H", nil, `request header as "Name: value"; can be repeated`)
	c.Flags().StringVar(&q.Client, "client", "", "IP address of the client (default: the address of the API server)")
	c.Flags().StringVar(&q.Draw, "random", "", "random value from 0 to 1 that selects between canary and main backend (default: 0.5)")
	output.register(c, outputPretty, outputJSON)
	return c
}

// client returns a client for the cluster's API server.
func (a *app) client(ctx context.Context) (*kube.Client, error) {
	_, up, err := a.cluster(ctx)
	if err != nil {
		return nil, err
	}
	return kube.New(up.Config)
}
