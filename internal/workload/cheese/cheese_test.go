package cheese_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/internal/workload/cheese"
)

func find(t *testing.T, name string) cheese.Cheese {
	t.Helper()
	c, err := cheese.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drawing has the parts of an SVG that the tests check.
type drawing struct {
	elements map[string]int
	ids      map[string]bool
	refs     []string
	labels   []string // ids in aria-labelledby
	title    string
}

func parse(t *testing.T, svg []byte) drawing {
	t.Helper()
	d := drawing{elements: map[string]int{}, ids: map[string]bool{}}
	decoder, inside := xml.NewDecoder(bytes.NewReader(svg)), ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inside = token.Name.Local
			d.elements[inside]++
			for _, a := range token.Attr {
				d.attribute(a)
			}
		case xml.EndElement:
			inside = ""
		case xml.CharData:
			if inside == "title" {
				d.title += string(token)
			}
		}
	}
}

func (d *drawing) attribute(a xml.Attr) {
	switch {
	case a.Name.Local == "id":
		d.ids[a.Value] = true
	case a.Name.Local == "aria-labelledby":
		d.labels = strings.Fields(a.Value)
	case strings.HasPrefix(a.Value, "url(#"):
		d.refs = append(d.refs, strings.TrimSuffix(strings.TrimPrefix(a.Value, "url(#"), ")"))
	}
}

func TestDrawingsAreValidAndDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, name := range cheese.Names() {
		t.Run(name, func(t *testing.T) {
			c := find(t, name)
			d := parse(t, c.SVG)
			if d.elements["path"] < 5 {
				t.Errorf("%d paths: that is no picture", d.elements["path"])
			}
			if !strings.Contains(d.title, c.Title) {
				t.Errorf("title %q does not name %s", d.title, c.Title)
			}
			if len(d.labels) == 0 {
				t.Error("no aria-labelledby: a screen reader has nothing to say")
			}
			for _, id := range append(d.refs, d.labels...) {
				if !d.ids[id] {
					t.Errorf("refers to #%s, which is not there", id)
				}
			}
			for id := range d.ids {
				if !strings.HasPrefix(id, name+"-") {
					t.Errorf("id %q could meet another one in a page", id)
				}
			}
			if d.elements["script"]+d.elements["image"] > 0 {
				t.Error("has scripts or images from elsewhere")
			}
			if other := seen[string(c.SVG)]; other != "" {
				t.Errorf("is the drawing of %s", other)
			}
			seen[string(c.SVG)] = name
		})
	}
}

func TestPageEscapesRequestData(t *testing.T) {
	page, err := cheese.NewPage(find(t, "cheddar"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	const bad = `<script>alert("x")</script>`
	if err := page.Render(&out, cheese.Visit{Pod: bad, Namespace: bad, Node: bad, Host: bad}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "<script") {
		t.Error("the page runs what its visitor says")
	}
	if n := strings.Count(out.String(), "&lt;script&gt;"); n != 4 {
		t.Errorf("%d of 4 texts are shown", n)
	}
}

func TestPageOmitsUnknownFields(t *testing.T) {
	page, err := cheese.NewPage(find(t, "cheddar"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := page.Render(&out, cheese.Visit{Pod: "cheddar-1"}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.Contains(text, "cheddar-1") || strings.Contains(text, "on node") || strings.Contains(text, "in namespace") {
		t.Errorf("want the pod, and neither node nor namespace:\n%s", out.String())
	}
}

func TestFindRequiresExactName(t *testing.T) {
	for _, name := range []string{"", "Cheddar", "brie", "../page"} {
		if _, err := cheese.Find(name); err == nil {
			t.Errorf("Find(%q): no error", name)
		}
	}
}
