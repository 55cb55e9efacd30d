package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/sluice-gateway/sluice/gateway"
)

// Item is one object and where it was written.
type Item struct {
	Object gateway.Object
	File   string
	Line   int // of the document's first key, from 1
}

// Where reads "objects/acme.yaml:12".
func (i Item) Where() string { return fmt.Sprintf("%s:%d", i.File, i.Line) }

// ReadPaths reads files and folders in the given order; of a folder every *.yaml, *.yml and
// *.json file below it, in the order of names. "-" is stdin. All errors are returned
// together, so that one run shows everything that is wrong.
func ReadPaths(stdin io.Reader, paths ...string) ([]Item, error) {
	var items []Item
	var errs []error
	for _, p := range paths {
		found, err := readPath(stdin, p)
		items = append(items, found...)
		errs = append(errs, err)
	}
	errs = append(errs, repeated(items))
	return items, errors.Join(errs...)
}

func readPath(stdin io.Reader, path string) ([]Item, error) {
	if path == "-" {
		text, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("read stdin: %w", err)
		}
		return Read("stdin", text)
	}
	files, err := Files(path)
	if err != nil {
		return nil, err
	}
	var items []Item
	var errs []error
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			errs = append(errs, fmt.Errorf("read objects: %w", err))
			continue
		}
		found, err := Read(f, text)
		items = append(items, found...)
		errs = append(errs, err)
	}
	return items, errors.Join(errs...)
}

// Files lists the object files at path: path itself, or those below the folder.
func Files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read objects: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := below(path, map[string]bool{})
	if err != nil {
		return nil, fmt.Errorf("read objects below %s: %w", path, err)
	}
	return files, nil
}

// below lists the object files below a folder. Links to folders are followed, each folder once, and
// what is hidden is not looked at: the kubelet and git-sync put a link in the place of a version.
func below(path string, seen map[string]bool) (files []string, err error) {
	root, err := filepath.EvalSymlinks(path) // once, so that all files are of one version
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && p != root
		switch {
		case d.IsDir() && (hidden || seen[p]):
			return fs.SkipDir
		case d.IsDir():
			seen[p] = true
			return nil
		case hidden:
			return nil
		}
		if info, err := os.Stat(p); d.Type() == fs.ModeSymlink && err == nil && info.IsDir() {
			more, err := below(p, seen)
			files = append(files, more...)
			return err
		}
		if slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) {
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// Read reads the documents of one file. name stands in errors and positions.
func Read(name string, text []byte) ([]Item, error) {
	var items []Item
	var errs []error
	for before, part := range split(text) {
		file, err := parse(before, part)
		if err != nil { // what follows may be in the wrong place
			return nil, errors.Join(append(errs, located(name, err))...)
		}
		for _, doc := range file.Docs {
			if doc.Body == nil || doc.Body.Type() == ast.NullType || doc.Body.Type() == ast.CommentType {
				continue
			}
			item, err := readDocument(name, doc)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			items = append(items, item)
		}
	}
	return items, errors.Join(errs...)
}

func readDocument(name string, doc *ast.DocumentNode) (Item, error) {
	at := line(doc.Body)
	fail := func(format string, args ...any) (Item, error) {
		return Item{}, fmt.Errorf("%s:%d: %s", name, at, fmt.Sprintf(format, args...))
	}
	kind, err := kindOf(doc)
	if err != nil {
		return Item{}, located(name, err)
	}
	if kind == "" {
		return fail("the document has no kind: known kinds are %v", gateway.Kinds)
	}
	obj, err := gateway.NewObject(kind)
	if err != nil {
		return fail("%v", err)
	}
	if err := yaml.NodeToValue(doc.Body, obj, yaml.Strict()); err != nil {
		return Item{}, located(name, pointAt(doc, err))
	}
	if err := CheckHead(obj.Head()); err != nil {
		return fail("%v", err)
	}
	return Item{Object: obj, File: name, Line: at}, nil
}

// kindOf reads the kind alone: what else there may be depends on it.
func kindOf(doc *ast.DocumentNode) (gateway.Kind, error) {
	if m, ok := doc.Body.(*ast.MappingNode); ok && len(m.Values) > 0 { // mostly it stands first, as plain text
		if kind, ok := m.Values[0].Value.(*ast.StringNode); ok && m.Values[0].Key.String() == "kind" {
			return gateway.Kind(kind.Value), nil
		}
	}
	var head struct {
		Kind gateway.Kind `json:"kind"`
	}
	err := yaml.NodeToValue(doc.Body, &head)
	return head.Kind, err
}

// line is where the first key of a document stands: a mapping's own position is its colon.
func line(n ast.Node) int {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	return n.GetToken().Position.Line
}

// located turns goccy's "[line:column] message" and its excerpt into "file:line:column:
// message", which editors and people can follow.
func located(name string, err error) error {
	text := hideKeys(yaml.FormatError(err, false, true))
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if pos, msg, ok := strings.Cut(rest, "] "); ok {
			return fmt.Errorf("%s:%s: %s", name, pos, strings.TrimRight(msg, "\n"))
		}
	}
	return fmt.Errorf("%s: %s", name, strings.TrimRight(text, "\n"))
}

// keyLine is a line of an excerpt that may be a part of a private key: the whole of it in a
// quoted string, or one line of PEM.
var keyLine = regexp.MustCompile(`(?m)(-----BEGIN [A-Z ]*PRIVATE KEY-----|^>? *[0-9]+ \| *)[A-Za-z0-9+/=\\]{16,}.*$`)

// hideKeys takes private keys out of an excerpt, which goes into logs and problems.
func hideKeys(text string) string { return keyLine.ReplaceAllString(text, "${1}...") }

// pointAt gives a position to an error of a value's own reader (a duration, a size), which
// begins with the quoted value and knows nothing of the file: that of the value, or else of the
// document.
func pointAt(doc *ast.DocumentNode, err error) error {
	var placed yaml.Error
	if errors.As(err, &placed) {
		return err
	}
	find := &finder{}
	if quoted, qerr := strconv.QuotedPrefix(err.Error()); qerr == nil {
		if find.value, qerr = strconv.Unquote(quoted); qerr == nil {
			ast.Walk(find, doc.Body)
		}
	}
	if m, ok := doc.Body.(*ast.MappingNode); ok && find.at == nil && len(m.Values) > 0 {
		find.at = m.Values[0].Key.GetToken()
	}
	if find.at == nil {
		return err
	}
	return &yaml.SyntaxError{Message: err.Error(), Token: find.at}
}

// finder visits a document for the first scalar with a value.
type finder struct {
	value string
	at    *token.Token
}

// Visit implements ast.Visitor.
func (f *finder) Visit(n ast.Node) ast.Visitor {
	if s, ok := n.(ast.ScalarNode); ok && f.at == nil && n.GetToken().Value == f.value && s != nil {
		f.at = n.GetToken()
	}
	return f
}

// CheckHead checks what every object carries.
func CheckHead(m *gateway.Meta) error {
	switch {
	case m.Name == "":
		return fmt.Errorf("the %s has no name", m.Kind)
	case m.Kind.Owned() && m.Tenant == "":
		return fmt.Errorf("%s %q has no tenant: write tenant: NAME beside its name", m.Kind, m.Name)
	case !m.Kind.Owned() && m.Tenant != "":
		return fmt.Errorf("%s %q has a tenant, but objects of this kind belong to nobody: take tenant out", m.Kind, m.Name)
	}
	for _, n := range []string{m.Name, m.Tenant} {
		if n != "" && !validName(n) {
			return fmt.Errorf("%s has the name %q: names are lower-case letters, digits, hyphens and dots, begin and end with a letter or digit, and have at most 253 bytes", m.Kind, n)
		}
	}
	return nil
}

func validName(n string) bool {
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	if len(n) > 253 || !alnum(n[0]) || !alnum(n[len(n)-1]) {
		return false
	}
	return !strings.ContainsFunc(n, func(r rune) bool { return r > 0x7f || !alnum(byte(r)) && r != '-' && r != '.' })
}

// repeated reports objects that stand twice in what was read: the second would silently win.
func repeated(items []Item) error {
	first := map[gateway.Ref]Item{}
	var errs []error
	for _, i := range items {
		ref := i.Object.Head().Ref()
		if f, ok := first[ref]; ok {
			errs = append(errs, fmt.Errorf("%s: %s stands already at %s: keep one of them", i.Where(), ref, f.Where()))
			continue
		}
		first[ref] = i
	}
	return errors.Join(errs...)
}
