package configsync

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// form is in which form a file of a tree goes out.
type form int

const (
	asRendered form = iota
	lastGood
	neutral // servers answer 503, anything else is left out
)

// maxHints is how many files nginx's own words may accuse before halving takes over, and
// maxChecks bounds the checks of one tree.
const (
	maxHints  = 8
	maxChecks = 400
)

// errNoTenant is a tree that nginx refuses without any tenant's files in it, too.
var errNoTenant = errors.New("no tenant's file is at fault")

// quarantine finds which files of a tree nginx can't take, and in which form they go out so
// that it takes the rest. It belongs to one goroutine.
type quarantine struct {
	tree  *nginxconf.Tree
	good  func(path string) *nginxconf.File // the last good version, or nil
	check func(context.Context, *nginxconf.Tree) (*nginxconf.Complaint, error)

	floor    map[string]bool                 // files that may not go out as rendered: a node refused them
	forms    map[string]form                 // of files that do not go out as rendered
	against  map[string]*nginxconf.Complaint // why
	complain *nginxconf.Complaint            // the last one
	checks   int
}

// settle checks the tree and fills in forms and against. The first suspect is the file that
// nginx names; when that misleads, the files are halved. With n files and k culprits it takes
// two checks and a few more for each culprit, or O(k log n) when nginx misleads.
//
// The error is errNoTenant when no tenant is to blame.
func (q *quarantine) settle(ctx context.Context) error {
	if q.forms == nil {
		q.forms = map[string]form{}
	}
	q.against = map[string]*nginxconf.Complaint{}
	c, err := q.try(ctx)
	for round := 0; err == nil && c != nil && round < maxHints; round++ {
		before := c
		if c, err = q.accuse(ctx, c); errors.Is(err, errMisled) {
			c, err = before, nil
			break
		}
	}
	if err != nil {
		return err
	}
	if c != nil {
		return q.halve(ctx)
	}
	return q.acquit(ctx)
}

// result is the tree with all forms in their places.
func (q *quarantine) result() nginxconf.Tree { return inForms(q.tree, q.forms, q.good) }

// inForms is a tree with some files in other forms.
func inForms(tree *nginxconf.Tree, forms map[string]form, good func(string) *nginxconf.File) nginxconf.Tree {
	if len(forms) == 0 {
		return *tree
	}
	edits := make(map[string]*nginxconf.File, len(forms))
	for path, f := range forms {
		rendered := tree.File(path)
		if rendered == nil {
			continue
		}
		if f == lastGood {
			if edits[path] = good(path); edits[path] != nil {
				continue
			}
		}
		edits[path] = rendered.Unavailable()
	}
	return tree.Edit(edits)
}

func (q *quarantine) try(ctx context.Context) (*nginxconf.Complaint, error) {
	if q.checks++; q.checks > maxChecks {
		return nil, fmt.Errorf("no answer after %d checks: %w", maxChecks, errNoTenant)
	}
	tree := q.result()
	c, err := q.check(ctx, &tree)
	if err == nil && c != nil {
		q.complain = c
	}
	return c, err
}

// errMisled is a complaint that names no file whose leaving out helps.
var errMisled = errors.New("nginx's message misleads")

// accuse takes the file that nginx names out, and returns what nginx says then. The file has
// to be the cause when nginx is content, or complains about another.
func (q *quarantine) accuse(ctx context.Context, c *nginxconf.Complaint) (*nginxconf.Complaint, error) {
	f := q.tree.File(c.File)
	if f == nil || f.Tenant() == "" {
		return nil, errMisled
	}
	was := q.forms[c.File]
	for next := was + 1; next <= neutral; next++ {
		if next == lastGood && !q.hasGood(f) {
			continue
		}
		q.forms[c.File] = next
		again, err := q.try(ctx)
		if err != nil {
			return nil, err
		}
		if again == nil || again.File != c.File {
			if q.against[c.File] == nil {
				q.against[c.File] = c
			}
			return again, nil
		}
	}
	q.put(c.File, was)
	return nil, errMisled
}

// hasGood says whether there is another version to go back to.
func (q *quarantine) hasGood(f *nginxconf.File) bool {
	g := q.good(f.Path)
	return g != nil && g.Data != f.Data
}

func (q *quarantine) put(path string, f form) {
	if f == asRendered {
		delete(q.forms, path)
	} else {
		q.forms[path] = f
	}
}

// acquit lets those go that were accused on the way and are not needed for nginx's content.
func (q *quarantine) acquit(ctx context.Context) error {
	if len(q.against) < 2 {
		return nil
	}
	for _, path := range q.inOrder() {
		if q.against[path] == nil {
			continue
		}
		was := q.forms[path]
		delete(q.forms, path)
		c, err := q.try(ctx)
		if err != nil {
			return err
		}
		if c != nil {
			q.forms[path] = was
		} else {
			delete(q.against, path)
		}
	}
	return nil
}
