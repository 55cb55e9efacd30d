package configsync

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// TestGroups compares nodes whose files stand in testdata/drift/*.txtar: NODE/PATH, where PATH
// begins with tree/ for the rendered tree and root/ for all others; @DIR@ and @LISTEN@ are what
// belongs to the node. want is the report.
func TestGroups(t *testing.T) {
	names, err := filepath.Glob("testdata/drift/*.txtar")
	if err != nil || len(names) < 6 {
		t.Fatalf("%d cases, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := reportOf(group("shared", membersOf(archive)))
			for i, f := range archive.Files {
				if f.Name != "want" {
					continue
				}
				if *update {
					archive.Files[i].Data = []byte(got)
					if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
						t.Fatal(err)
					}
				} else if string(f.Data) != got {
					t.Errorf("got\n%s\nwant\n%s", got, f.Data)
				}
				return
			}
			t.Error("there is no want")
		})
	}
}

// membersOf are the nodes of a case, with folders and addresses of their own.
func membersOf(archive *txtar.Archive) (list []member) {
	files := map[string][]protocol.NodeFile{}
	var order []string
	for _, f := range archive.Files {
		node, path, ok := strings.Cut(f.Name, "/")
		if !ok {
			continue
		}
		if files[node] == nil {
			order = append(order, node)
		}
		facts := factsOf(node)
		data := bytes.ReplaceAll(bytes.ReplaceAll(f.Data, []byte("@DIR@"), []byte(filepath.Dir(facts.ConfPath))), []byte("@LISTEN@"), []byte(facts.Listen[0]))
		if rest, ok := strings.CutPrefix(path, "tree/"); ok {
			path = rest
		} else {
			path = filepath.Join(filepath.Dir(facts.ConfPath), strings.TrimPrefix(path, "root/"))
		}
		files[node] = append(files[node], protocol.NodeFile{Path: path, Data: data})
	}
	for _, node := range order {
		r := gateway.NodeReport{Fleet: "shared", Node: node, Facts: factsOf(node)}
		list = append(list, member{node: gateway.Node{NodeReport: r}, shape: newShape(r, &protocol.NodeTree{Files: files[node]})})
	}
	return list
}

func factsOf(node string) gateway.NodeFacts {
	return gateway.NodeFacts{ConfPath: "/opt/" + node + "/nginx.conf", TreePath: "/opt/" + node + "/sluice/current", Listen: []string{"10.0.0." + strings.TrimLeft(node, "n") + ":80"}}
}

// reportOf is what a case expects; ids are left out, since they say nothing to a reader.
func reportOf(d gateway.FleetDrift) string {
	var b strings.Builder
	fmt.Fprintln(&b, d.Summary)
	for _, g := range d.Groups {
		fmt.Fprintf(&b, "%s: %d directives\n", strings.Join(g.Nodes, " "), g.Directives)
		for _, h := range g.Hunks {
			fmt.Fprintf(&b, "  %s %s %s [%s] %s -> %s\n", h.Kind, h.Change, h.Path, strings.Join(h.Where, " > "), h.Old, h.New)
		}
	}
	return b.String()
}

// TestSummary: one sentence, whatever the numbers.
func TestSummary(t *testing.T) {
	g := func(nodes, directives int) gateway.NodeGroup {
		return gateway.NodeGroup{Nodes: make([]string, nodes), Directives: directives}
	}
	for _, c := range []struct {
		d    gateway.FleetDrift
		want string
	}{
		{gateway.FleetDrift{}, "no nodes"},
		{gateway.FleetDrift{Groups: []gateway.NodeGroup{g(10, 0)}}, "10 alike"},
		{gateway.FleetDrift{Groups: []gateway.NodeGroup{g(9, 0), g(1, 2)}}, "9 alike, 1 differs in 2 directives"},
		{gateway.FleetDrift{Groups: []gateway.NodeGroup{g(5, 0), g(2, 1), g(1, 1), g(1, 7)}, Unknown: []string{"x"}}, "5 alike, 3 differ in 1 directive, 1 differs in 7 directives, 1 not known yet"},
	} {
		if got := summary(c.d); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestBackToMost: an edit outside of the rendered tree is taken back, others in the same file
// stay, and what is secret or gone is refused.
func TestBackToMost(t *testing.T) {
	text := func(edit string) string {
		return "-- %[1]s/root/nginx.conf --\npid @DIR@/pid;\nhttp {\n" + edit + "}\n"
	}
	const plain, other = "    gzip on;\n    tcp_nodelay on;\n", "    gzip off;\n    tcp_nodelay off;\n"
	archive := fmt.Sprintf(text(plain), "n1") + fmt.Sprintf(text(plain), "n2") + fmt.Sprintf(text(other), "n3")
	members := membersOf(txtar.Parse([]byte(archive)))
	d := group("shared", members)
	hunks := d.Groups[1].Hunks
	if len(hunks) != 2 || d.Summary != "2 alike, 1 differs in 2 directives" {
		t.Fatalf("%+v", d)
	}
	shapes := map[string]*shape{"n3": members[2].shape}
	file, err := backToMost(members[0].shape, members[2].shape, commonName(hunks[0], shapes), hunks[0].ID)
	if err != nil || string(file.Data) != "pid /opt/n3/pid;\nhttp {\n    gzip on;\n    tcp_nodelay off;\n}\n" || file.Path != "/opt/n3/nginx.conf" || file.Remove {
		t.Errorf("%v %+v %s", err, file, file.Data)
	}
	if _, err := backToMost(members[0].shape, members[2].shape, "{conf}/gone.conf", hunks[0].ID); err == nil || !strings.Contains(err.Error(), "the file is gone there") {
		t.Errorf("a file that is gone: %v", err)
	}
	secret := membersOf(txtar.Parse([]byte(fmt.Sprintf("-- n4/root/nginx.conf --\n%s\n", nginxconf.Hide("x")))))
	secret[0].shape.files[0].hidden = true
	if _, err := backToMost(members[0].shape, secret[0].shape, "{conf}/nginx.conf", hunks[0].ID); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("a secret file: %v", err)
	}
}

func FuzzGroups(f *testing.F) {
	f.Add("a 1;", "a 1; # x", "b {}")
	f.Add("server { listen 1; }", "server { listen 1; listen 2; }", "}")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var list []member
		for i, text := range []string{a, b, c} {
			r := gateway.NodeReport{Node: fmt.Sprintf("n%d", i), Facts: factsOf(fmt.Sprintf("n%d", i))}
			list = append(list, member{node: gateway.Node{NodeReport: r}, shape: newShape(r, &protocol.NodeTree{Files: []protocol.NodeFile{{Path: "servers/a.conf", Data: []byte(text)}}})})
		}
		d := group("shared", list)
		nodes := 0
		for i, g := range d.Groups {
			nodes += len(g.Nodes)
			if i > 0 && (g.Directives == 0 || len(g.Hunks) == 0) {
				t.Fatalf("a group that differs in nothing: %+v", g)
			}
		}
		if nodes != 3 {
			t.Fatalf("%d nodes in %+v", nodes, d)
		}
	})
}
