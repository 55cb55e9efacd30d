package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// checkName is the copy of nginx.conf that a staged tree is tested with. It stands beside
// the original, because nginx takes relative paths from there; the dot keeps it out of
// includes such as "*.conf".
const checkName = ".sluice-check.conf"

// errNotIncluded is why a bundle can't take effect.
var errNotIncluded = errors.New("it does not include Sluice's tree")

// check tests the complete configuration that nginx would load if the link pointed at the
// staged tree.
func (n *nginx) check(ctx context.Context, d disk, digest string) *nginxError {
	if err := os.RemoveAll(d.scratch()); err != nil {
		return &nginxError{message: err.Error()}
	}
	defer func() { _ = os.RemoveAll(d.scratch()) }()
	staged, err := shadow(d.scratch(), d.link(), d.tree(digest))
	if err != nil {
		return &nginxError{message: err.Error(), full: diskFull(err)}
	}
	main := n.mainFor(d, digest)
	// Relative includes start beside the file that nginx is started with, wherever its text is.
	c := checkCopy{dir: filepath.Dir(n.conf), scratch: d.scratch(), link: d.link(), staged: staged, done: map[string]string{}}
	copied := filepath.Join(c.dir, checkName)
	defer func() { _ = os.Remove(copied) }()
	switch err := c.main(main, copied); {
	case errors.Is(err, errNotIncluded):
		return &nginxError{message: fmt.Sprintf("%s does not include Sluice's tree: put the line \"include %s/%s;\" into its http block (in a fleet of mode full, see that nginx -t accepts it)", main, d.link(), nginxconf.Include)}
	case err != nil:
		return &nginxError{message: err.Error(), full: diskFull(err)}
	}
	d.reach(atCheckCopy)
	if err := n.samePID(d, digest); err != nil {
		return &nginxError{message: err.Error()}
	}
	failure := n.test(ctx, copied)
	if failure != nil {
		failure.translate(copied, main)
		failure.relativeTo(staged)
	}
	return failure
}

// checkCopy rewrites the files that lead to the tree so that they lead to a staged one.
type checkCopy struct {
	dir     string // of nginx.conf
	scratch string // for copies of other files
	link    string
	staged  string
	done    map[string]string // original to copy, or to itself when it needs none
}

// main writes the copy of nginx.conf.
func (c *checkCopy) main(conf, target string) error {
	data, err := os.ReadFile(conf)
	if err != nil {
		return fmt.Errorf("read nginx's configuration: %w", err)
	}
	parsed, err := nginxconf.Parse(conf, string(data))
	if err != nil {
		return err
	}
	list, changed, err := c.rewrite(parsed.Directives)
	if err != nil {
		return err
	}
	if !changed {
		return errNotIncluded
	}
	parsed.Directives = list
	return writeFile(target, []byte(parsed.String()), nil)
}

// file returns the path to include instead of path.
func (c *checkCopy) file(path string) (string, error) {
	if copied, ok := c.done[path]; ok {
		return copied, nil
	}
	c.done[path] = path
	data, err := os.ReadFile(path)
	if err != nil {
		return path, nil // nginx -t says so in its own words
	}
	parsed, err := nginxconf.Parse(path, string(data))
	if err != nil {
		return path, nil // likewise
	}
	list, changed, err := c.rewrite(parsed.Directives)
	if err != nil || !changed {
		return path, err
	}
	parsed.Directives = list
	copied := filepath.Join(c.scratch, fmt.Sprintf("%d.conf", len(c.done)))
	if err := os.MkdirAll(c.scratch, 0o755); err != nil {
		return "", err
	}
	c.done[path] = copied
	return copied, writeFile(copied, []byte(parsed.String()), nil)
}

// rewrite returns the list with every include that leads to the tree replaced. Lines keep
// their numbers.
func (c *checkCopy) rewrite(list []*nginxconf.Directive) ([]*nginxconf.Directive, bool, error) {
	var out []*nginxconf.Directive
	changed := false
	for _, d := range list {
		switch args := d.Args(); {
		case d.Block != nil:
			inner, deeper, err := c.rewrite(d.Block.Directives)
			if err != nil {
				return nil, false, err
			}
			d.Block.Directives, changed = inner, changed || deeper
		case d.Name() == "include" && len(args) == 1:
			targets, differs, err := c.targets(under(c.dir, args[0]))
			if err != nil {
				return nil, false, err
			}
			if differs {
				changed = true
				out = append(out, includes(d, targets)...)
				continue
			}
		}
		out = append(out, d)
	}
	return out, changed, nil
}

// targets are what to include instead of a pattern, and whether that differs.
func (c *checkCopy) targets(pattern string) ([]string, bool, error) {
	if rest, ok := strings.CutPrefix(pattern, c.link+"/"); ok {
		return []string{filepath.Join(c.staged, rest)}, true, nil
	}
	var list []string
	differs := false
	for _, match := range glob(pattern) {
		target, err := c.file(match)
		if err != nil {
			return nil, false, err
		}
		list, differs = append(list, target), differs || target != match
	}
	return list, differs, nil
}

// includes writes one include per target in the place of d.
func includes(d *nginxconf.Directive, targets []string) []*nginxconf.Directive {
	list := make([]*nginxconf.Directive, len(targets))
	for i, t := range targets {
		name := nginxconf.Word{Raw: "include", Value: "include", Before: " "}
		if i == 0 {
			name.Before = d.Words[0].Before
		}
		list[i] = &nginxconf.Directive{Words: []nginxconf.Word{name, {Before: " ", Raw: nginxconf.Quote(t), Value: t}}}
	}
	return list
}
