package annotations_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ingresslab/ingresslab/controller/annotations"
)

var update = flag.Bool("update", false, "write the tables of docs/controller.md anew")

const documentation = "../../docs/controller.md"

// The tables of docs/controller.md are made of the lists that the code goes by, so they cannot say anything else.
func TestDocumentationIsCurrent(t *testing.T) {
	page, err := os.ReadFile(documentation)
	if err != nil {
		t.Fatal(err)
	}
	want := page
	for name, table := range map[string]string{"annotations": annotationTable(), "settings": settingTable()} {
		want, err = between(want, name, table)
		if err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(documentation, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(page, want) {
		t.Errorf("%s is stale: run go generate ./controller/annotations", documentation)
	}
}

// between puts text between the two markers of that name.
func between(page []byte, name, text string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- begin %s: made by go generate -->\n", name), fmt.Sprintf("<!-- end %s -->", name)
	before, rest, ok := bytes.Cut(page, []byte(begin))
	if !ok {
		return nil, fmt.Errorf("no line %q", begin)
	}
	_, after, ok := bytes.Cut(rest, []byte(end))
	if !ok {
		return nil, fmt.Errorf("no line %q", end)
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte(text), []byte(end), after}, nil), nil
}

func annotationTable() string {
	var b strings.Builder
	group := ""
	for _, e := range annotations.List() {
		if e.Group != group {
			group = e.Group
			fmt.Fprintf(&b, "\n### %s\n\n| annotation | support | values | default | what it does, or why not |\n| --- | --- | --- | --- | --- |\n", title(group))
		}
		note := e.Note
		if e.Security {
			note += "; *fails closed*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", e.Name, e.Support, cell(e.Values), cell(e.Default), cell(note))
	}
	return b.String() + "\n"
}

func settingTable() string {
	var b strings.Builder
	b.WriteString("\n| key | support | values | default | what it does, or why not |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range annotations.SettingsList() {
		note := s.Note
		if s.Security {
			note += "; *fails closed*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Key, s.Support, cell(s.Values), cell(s.Default), cell(note))
	}
	return b.String() + "\n"
}

// cell keeps characters that mean something to Markdown as they are.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*.", `\*.`, "*,", `\*,`).Replace(text)
}

func title(group string) string {
	if group == "mTLS" {
		return group
	}
	return strings.ToUpper(group[:1]) + group[1:]
}
