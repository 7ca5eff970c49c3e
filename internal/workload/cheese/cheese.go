// Package cheese has the cheeses of the host-routing lab: names, facts, and drawings. The SVG drawings in art/ were made by hand for
// this project.
package cheese

import (
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed art/*.svg
var art embed.FS

// Cheese is one kind of cheese.
type Cheese struct {
	Name  string // in lower case, as in an image tag
	Title string // as at the beginning of a sentence
	Fact  string // one true sentence
	SVG   []byte // a whole SVG document
}

var cheeses = []Cheese{
	{
		Name: "cheddar", Title: "Cheddar",
		Fact: "Blocks of cheddar curd are stacked, turned and stacked again to press the whey out, " +
			"a step that is named after the cheese: cheddaring.",
	},
	{
		Name: "stilton", Title: "Stilton",
		Fact: "Only dairies in Derbyshire, Leicestershire and Nottinghamshire may make Stilton; " +
			"the village of Stilton lies in none of them.",
	},
	{
		Name: "wensleydale", Title: "Wensleydale",
		Fact: "French Cistercian monks who settled in Yorkshire in the twelfth century made the first " +
			"Wensleydale, and made it from the milk of sheep.",
	},
}

// Names returns the names of the cheeses.
func Names() []string {
	names := make([]string, len(cheeses))
	for i, c := range cheeses {
		names[i] = c.Name
	}
	return names
}

// Find returns the cheese with the name, or an error that lists the names.
func Find(name string) (Cheese, error) {
	i := slices.IndexFunc(cheeses, func(c Cheese) bool { return c.Name == name })
	if i < 0 {
		return Cheese{}, fmt.Errorf("unknown cheese %q; use one of %s", name, strings.Join(Names(), ", "))
	}
	c := cheeses[i]
	svg, err := art.ReadFile("art/" + name + ".svg")
	if err != nil {
		return Cheese{}, fmt.Errorf("cheese %q: drawing: %w", name, err)
	}
	c.SVG = svg
	return c, nil
}

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
		// Both values come from an embedded file, never from the request.
		Drawing: template.HTML(p.cheese.SVG),
		Icon:    template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(p.cheese.SVG)),
	})
	if err != nil {
		return fmt.Errorf("cheese %q: page: %w", p.cheese.Name, err)
	}
	return nil
}
