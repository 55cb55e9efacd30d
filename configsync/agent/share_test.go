package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// stagedTree stages a tree with two upstreams and makes it the live one.
func stagedTree(t *testing.T, d disk, address string) *nginxconf.Tree {
	t.Helper()
	s := &gateway.Snapshot{Tenants: []*gateway.Tenant{{Meta: gateway.Meta{Name: "acme"}, Spec: gateway.TenantSpec{Fleets: []string{"f"}}}}}
	for _, u := range [][2]string{{"one", address}, {"two", "10.0.0.9:80"}} {
		s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: u[0]}, Endpoints: []gateway.Endpoint{{Address: u[1], Weight: 1, InRotation: true}}})
	}
	tree, problems := nginxconf.Render(s, "f", gateway.NodeFacts{TreePath: d.link()})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := d.stage(&tree); err != nil {
		t.Fatal(err)
	}
	if err := d.flip(tree.Digest, atFlipHalf, atFlipped); err != nil {
		t.Fatal(err)
	}
	return &tree
}

// A new tree shares the files that stay the same, and none that was edited by hand.
func TestShare(t *testing.T) {
	d := disk{root: t.TempDir()}
	if err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	same := func(a, b *nginxconf.Tree, path string) bool {
		x, err := os.Stat(filepath.Join(d.tree(a.Digest), path))
		y, err2 := os.Stat(filepath.Join(d.tree(b.Digest), path))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		return os.SameFile(x, y)
	}
	whole := func(tree *nginxconf.Tree) {
		t.Helper()
		if list, err := d.drift(d.tree(tree.Digest), tree, nginxconf.Places{}); err != nil || len(list) > 0 {
			t.Errorf("%v, %+v", err, list)
		}
	}
	const common, changed = "upstreams/acme.two.conf", "upstreams/acme.one.conf"
	first := stagedTree(t, d, "10.0.0.1:80")
	second := stagedTree(t, d, "10.0.0.2:80")
	whole(first)
	whole(second)
	if !same(first, second, common) || same(first, second, changed) {
		t.Errorf("shared: %v, the changed file: %v", same(first, second, common), same(first, second, changed))
	}
	if err := os.WriteFile(filepath.Join(d.tree(second.Digest), common), []byte("# by hand\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	third := stagedTree(t, d, "10.0.0.3:80")
	whole(third)
	if same(second, third, common) {
		t.Error("an edited file is shared")
	}
	again := stagedTree(t, d, "10.0.0.1:80")
	whole(again) // although the edit stood in it, too
	if again.Digest != first.Digest {
		t.Errorf("%s and %s", again.Digest, first.Digest)
	}
}

func TestParseAnswer(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"passed on", "<190>Nov 21 15:00:00 sluice: sluice1|acme.api|10.0.0.4:80|200|0.001|0.012|200|shop.test\n", "shop.test false true"},
		{"an endpoint's 500", "sluice1|acme.api|10.0.0.4:80|500|0.001|0.012|500|shop.test", "shop.test true true"},
		{"nginx's own 503", "sluice1|-|-|-|-|-|503|*.shop.test", "*.shop.test true true"},
		{"tried again with success", "sluice1|acme.api|10.0.0.4:80, 10.0.0.5:80|502, 200|-, 0.001|-, 0.002|200|_", "_ false true"},
		{"files of before", "sluice1|acme.api|10.0.0.4:80|200|0.001|0.012", " false false"},
		{"no status", "sluice1|acme.api|10.0.0.4:80|200|0.001|0.012|-|shop.test", " false false"},
		{"nothing", "", " false false"},
	} {
		a, ok := parseAnswer(c.line)
		if got := fmt.Sprintf("%s %v %v", a.server, a.failed, ok); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	var b batch
	b.answer(answered{server: "shop.test"})
	b.answer(answered{server: "shop.test", failed: true})
	b.answer(answered{server: "a.test"})
	out, _ := b.take()
	if len(out.Answers) != 2 || out.Answers[0].Server != "a.test" || out.Answers[1].Count != 2 || out.Answers[1].Errors != 1 {
		t.Errorf("%+v", out.Answers)
	}
	if out, _ = b.take(); len(out.Answers) != 0 {
		t.Errorf("they are told twice: %+v", out.Answers)
	}
}
