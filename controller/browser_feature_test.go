package controller_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"
)

// browser is a page in headless Chromium.
type browser struct {
	*lab
	ctx context.Context
}

// newBrowser starts Chromium until the test ends. Without Chromium, the test is skipped; in CI, it
// fails.
func newBrowser(l *lab) *browser {
	l.t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		const missing = "there is no Chromium to look at the status page with; `hack/browser.sh` installs it"
		if os.Getenv("CI") == "true" {
			l.t.Fatal(missing)
		}
		l.t.Skip(missing)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(l.t.TempDir()), chromedp.Headless, chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.WSURLReadTimeout(time.Minute),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	ctx, closePage := chromedp.NewContext(ctx)
	l.t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until Chromium has exited
		closePage()
		stop()
		end()
	})
	b := &browser{l, ctx}
	b.do(chromedp.Navigate("about:blank"))
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.Expect(chromedp.Do(b.ctx, steps...)).To(gomega.Succeed())
}

// script returns the value of an expression in the page.
func script[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	b.Expect(err).NotTo(gomega.HaveOccurred())
	return value
}

// text returns the visible text of an element.
func (b *browser) text(selector string) string {
	return script[string](b, "document.querySelector(`"+selector+"`)?.innerText ?? ''")
}

// seen returns text as a function, for Eventually.
func (b *browser) seen(selector string) func() string {
	return func() string { return b.text(selector) }
}

// screenshot saves a picture of the whole page in OUT.
func (b *browser) screenshot(name string, width int64, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	b.Expect(err).NotTo(gomega.HaveOccurred())
	b.do(chromedp.EmulateViewport(width, 900))
	image, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.Expect(err).NotTo(gomega.HaveOccurred())
	out := os.Getenv("OUT")
	if out == "" {
		out = "out"
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join("..", out) // relative to the root of the repository, as in make
	}
	b.Expect(os.MkdirAll(out, 0o755)).To(gomega.Succeed())
	b.Expect(os.WriteFile(filepath.Join(out, name+".png"), image, 0o644)).To(gomega.Succeed())
}

// withAnnotations sets ingress-nginx annotations from pairs of name and value.
func withAnnotations(i *networkingv1.Ingress, pairs ...string) *networkingv1.Ingress {
	i.Annotations = map[string]string{}
	for pair := 0; pair < len(pairs); pair += 2 {
		i.Annotations["nginx.ingress.kubernetes.io/"+pairs[pair]] = pairs[pair+1]
	}
	return i
}

// One test for all features of the page, because Chromium starts slowly: content, updates without a
// reload, explanations, and a narrow screen.
func TestStatusPageInBrowser(t *testing.T) {
	canary := withAnnotations(ingress("cheddar-next", "lab", "cheddar.test"), "canary", "true", "canary-weight", "20", "canary-by-header",
		"X-Canary")
	main := withAnnotations(ingress("cheddar", "lab", "cheddar.test"), "limit-rps", "10", "enable-cors", "true", "affinity", "cookie")
	main.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"cheddar.test"}, SecretName: "cheddar-tls"}}
	l := newLab(t, ours(), main, canary, tlsSecret(t, "cheddar-tls", "cheddar.test"),
		withAnnotations(ingress("missing", "lab", "missing.test"), "permanent-redirct", "https://typo.test"),
		service("cheddar"), service("cheddar-next"), service("stilton"),
		endpoints("cheddar", "10.0.0.1:80", "10.0.0.2:80"), endpoints("cheddar-next", "10.0.0.3:80"), endpoints("stilton", "10.0.0.4:80"))
	l.says("10.0.0.1:80", "cheddar")
	l.says("10.0.0.2:80", "cheddar")
	l.says("10.0.0.3:80", "next")
	l.says("10.0.0.4:80", "stilton")
	c := l.start()
	b := newBrowser(l)
	b.do(chromedp.Navigate("http://" + c.Status + "/"))
	l.Eventually(b.seen("#connection")).Should(gomega.Equal("live"))
	l.Expect(b.text("#hosts")).To(gomega.SatisfyAll(gomega.ContainSubstring("cheddar.test"), gomega.ContainSubstring("10.0.0.2:80"),
		gomega.ContainSubstring("20 of 100"), gomega.ContainSubstring("10/s"), gomega.ContainSubstring("cookie INGRESSCOOKIE")))
	l.Eventually(b.seen("#certificates")).Should(gomega.SatisfyAll(gomega.ContainSubstring("shop/cheddar-tls"),
		gomega.ContainSubstring("left")))
	l.Expect(b.text("#problems")).To(gomega.ContainSubstring("Ingress shop/missing"))

	// A mark on the window shows that later content appears without a reload.
	script[string](b, `window.mark = "first"`)
	l.createIngress(ingress("stilton", "lab", "stilton.test"))
	l.Eventually(c.getter("stilton.test", "/")).Should(gomega.Equal("200 stilton"))
	l.Eventually(b.seen("#hosts")).Should(gomega.ContainSubstring("stilton.test"))
	l.Eventually(b.seen(`[id="pool-shop/stilton:80"]`)).Should(gomega.ContainSubstring("10.0.0.4:80"))
	l.Eventually(b.seen(`[data-figure="shop/stilton:80 10.0.0.4:80 requests"]`)).Should(gomega.Equal("1"))
	l.deleteIngress("stilton")
	l.Eventually(b.seen("#hosts")).ShouldNot(gomega.ContainSubstring("stilton.test"))
	l.Expect(script[string](b, `window.mark ?? "reloaded"`)).To(gomega.Equal("first"))

	b.do(chromedp.SetValue(`[name="url"]`, "https://cheddar.test/cart?id=1"), chromedp.Click("#explain summary"),
		chromedp.SetValue(`[name="header"]`, "X-Canary: always"), chromedp.Submit(`[name="url"]`), chromedp.WaitVisible(".answer"))
	l.Expect(b.text(".answer")).To(gomega.SatisfyAll(gomega.HavePrefix("forward to shop/cheddar-next:80"),
		gomega.ContainSubstring("shop/cheddar-next"), gomega.ContainSubstring("won")))
	l.Eventually(b.seen("#connection")).Should(gomega.Equal("live"))
	b.screenshot("status-page", 1280, "light")
	b.screenshot("status-page-dark", 1280, "dark")
	b.screenshot("status-page-narrow", 400, "light")
	l.Expect(script[bool](b, "document.documentElement.scrollWidth > innerWidth")).To(gomega.BeFalse(), "the page must fit a narrow screen")
	l.Expect(strings.Contains(b.text("body"), "<no value>")).To(gomega.BeFalse())
}
