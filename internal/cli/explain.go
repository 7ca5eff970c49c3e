package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ingresslab/ingresslab/internal/kube"
)

// question is a request that the controller is asked about.
type question struct {
	url, method, client string
	headers             []string
	draw                string
}

func (a *app) explainCommand() *cobra.Command {
	var q question
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
			if q.url = args[0]; !strings.Contains(q.url, "://") {
				q.url = "http://" + q.url
			}
			client, err := a.connect(c.Context())
			if err != nil {
				return err
			}
			answer, err := askController(c.Context(), client, q, output)
			if err != nil {
				return err
			}
			printf(a.std.Out, "%s", answer)
			return nil
		},
	}
	c.Flags().StringVarP(&q.method, "method", "X", http.MethodGet, "method of the request")
	c.Flags().StringArrayVarP(&q.headers, "header", "H", nil, `header of the request, as "Name: value"; may be given several times`)
	c.Flags().StringVar(&q.client, "client", "", "IP address that the request comes from (default that of the API server, which asks)")
	c.Flags().StringVar(&q.draw, "draw", "", "the number from 0 to 1 that shares of canaries are drawn with (default 0.5)")
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

// askController has the controller's status page explain a request. A question that makes no sense is a usage error.
func askController(ctx context.Context, client *kube.Client, q question, output string) (string, error) {
	query := url.Values{"url": {q.url}, "method": {q.method}, "header": q.headers}
	for name, value := range map[string]string{"client": q.client, "draw": q.draw} {
		if value != "" {
			query.Set(name, value)
		}
	}
	accept := "text/plain"
	if output == outputJSON {
		accept = "application/json"
	}
	answer, err := client.AskPod(ctx, controllerSelector, "status", "api/v1/explain", query, accept)
	var none *kube.NoReadyPodError
	switch {
	case errors.As(err, &none) && none.Pod == "":
		return "", errors.New("the controller is not installed; `ingresslab up` installs it")
	case errors.As(err, &none):
		return "", fmt.Errorf("the controller is not ready: %w; `ingresslab logs` collects what it says", err)
	case err != nil:
		return "", err
	}
	switch answer.Status {
	case http.StatusOK:
		return string(answer.Body), nil
	case http.StatusBadRequest:
		return "", usagef("%s", reasonOf(answer.Body))
	}
	return "", fmt.Errorf("the controller answered %d instead of explaining: %s", answer.Status, oneLine(reasonOf(answer.Body)))
}

// reasonOf is the message of a refusal, which is JSON if JSON was asked for.
func reasonOf(body []byte) string {
	var refusal struct{ Error, Message string }
	if json.Unmarshal(body, &refusal) == nil && refusal.Error+refusal.Message != "" {
		return refusal.Error + refusal.Message
	}
	return strings.TrimSpace(string(body))
}
