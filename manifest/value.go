package manifest

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Document is a YAML file that holds one value of our own, such as sluice.yaml.
type Document struct {
	name string
	file *ast.File
}

// ReadValue reads text, which came from the file called name, into v. Unknown keys and values
// that do not fit are errors that begin with "name:line:column: ". An empty text leaves v
// alone.
func ReadValue(name string, text []byte, v any) (*Document, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, located(name, err)
	}
	d := &Document{name: name, file: file}
	for i, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
			continue
		}
		if i > 0 {
			return nil, fmt.Errorf("%s:%d: a second document: this file holds one", name, line(doc.Body))
		}
		if err := yaml.NodeToValue(doc.Body, v, yaml.Strict()); err != nil {
			return nil, located(name, pointAt(doc, err))
		}
	}
	return d, nil
}

// At puts the place in front of an error text that begins with the path of a value, such as
// "listeners[0].address: ...". A value that the file leaves out has the place of the nearest
// one around it; the zero Document has no places.
func (d *Document) At(text string) string {
	if d.file == nil {
		return "configuration: " + text
	}
	path, _, _ := strings.Cut(text, ":")
	for ; path != ""; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		p, err := yaml.PathString("$." + path)
		if err != nil {
			continue
		}
		if n, err := p.FilterFile(d.file); err == nil && n != nil {
			pos := n.GetToken().Position
			if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
				pos = m.Values[0].Key.GetToken().Position
			}
			return fmt.Sprintf("%s:%d:%d: %s", d.name, pos.Line, pos.Column, text)
		}
	}
	return d.name + ": " + text
}
