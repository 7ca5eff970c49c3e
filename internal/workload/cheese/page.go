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

// Visit is what a page says about the request it answers. Empty fields are not shown.
type Visit struct {
	Namespace, Pod, Node string // who answers
	Host                 string // what was asked for
}

// NewPage prepares the page of a cheese.
func NewPage(c Cheese) (*Page, error) {
	t, err := template.New("cheese").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("cheese %q: page: %w", c.Name, err)
	}
	return &Page{cheese: c, template: t}, nil
}

// Render writes the page. It holds everything it shows, so that it looks right whatever paths the
// ingress lets through.
func (p *Page) Render(w io.Writer, v Visit) error {
	err := p.template.Execute(w, struct {
		Cheese
		Visit
		Drawing template.HTML
		Icon    template.URL
	}{
		Cheese: p.cheese,
		Visit:  v,
		// Both are made from our own embedded file, never from the request.
		Drawing: template.HTML(p.cheese.SVG),
		Icon:    template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(p.cheese.SVG)),
	})
	if err != nil {
		return fmt.Errorf("cheese %q: page: %w", p.cheese.Name, err)
	}
	return nil
}
