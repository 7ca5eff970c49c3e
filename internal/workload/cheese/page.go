package cheese

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html
var pageHTML string

// Page is the web page of one cheese.
type Page struct {
	cheese   Cheese
	template *template.Template
}

// Visit is the data of a request that a page shows. Empty fields are omitted.
type Visit struct {
	Namespace, Pod, Node string // of the pod
	Host                 string // of the request
}

// NewPage returns the page of a cheese.
func NewPage(c Cheese) (*Page, error) {
	t, err := template.New("cheese").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("cheese %q: page: %w", c.Name, err)
	}
	return &Page{cheese: c, template: t}, nil
}

// Render writes the page. It embeds all resources, so that it does not depend on the paths that an Ingress routes.
func (p *Page) Render(w io.Writer, v Visit) error {
	err := p.template.Execute(w, struct {
		Cheese
		Visit
		Drawing template.HTML
		Icon    template.URL
	}{
		Cheese: p.cheese,
		Visit:  v,
		// Both come from an embedded file, never from the request.
		Drawing: template.HTML(p.cheese.SVG),
		Icon:    template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(p.cheese.SVG)),
	})
	if err != nil {
		return fmt.Errorf("cheese %q: page: %w", p.cheese.Name, err)
	}
	return nil
}
