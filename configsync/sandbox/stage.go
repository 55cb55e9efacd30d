package sandbox

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// stage lays a tree out for one check: the machine's paths and addresses in it are replaced
// by such as exist in the sandbox. No line moves, so nginx's line numbers are the tree's.
type stage struct {
	dir, temp string
	treePath  string // of the node

	addresses map[string]string // of listen, to the one that is tried instead
	stubs     *stubs
}

// tree is where the files of the tree are.
func (st *stage) tree() string { return st.dir + "/tree" }

// shown takes the sandbox's paths out of a message.
func (st *stage) shown(message string) string {
	message = strings.ReplaceAll(message, st.tree()+"/", "")
	return strings.ReplaceAll(message, st.dir+"/", "")
}

// files are all files of a check: nginx.conf, the tree and the stubs.
func (st *stage) files(p *program, tree *nginxconf.Tree) ([]stagedFile, error) {
	st.addresses = map[string]string{}
	st.stubs = newStubs(tree, st)
	list := []stagedFile{{Path: "nginx.conf", Data: st.main(p)}, {Path: "mime.types", Data: p.mimeTypes}}
	for _, f := range tree.Files {
		data := f.Data
		if strings.HasSuffix(f.Path, ".conf") {
			data = st.rewritten(f.Data)
		} else if secret(data) {
			continue // stubs has one in its place
		}
		list = append(list, stagedFile{Path: "tree/" + f.Path, Data: data})
	}
	stubs, err := st.stubs.files()
	return append(list, stubs...), err
}

// main is nginx.conf.
func (st *stage) main(p *program) string {
	var b strings.Builder
	for _, m := range p.modules {
		fmt.Fprintf(&b, "load_module %s;\n", nginxconf.Quote(m))
	}
	fmt.Fprintf(&b, "pid %s/pid;\nerror_log stderr;\nevents { worker_connections 64; }\nhttp {\naccess_log off;\n", st.temp)
	for _, name := range []string{"client_body", "proxy", "fastcgi", "scgi", "uwsgi"} {
		if !slices.Contains(p.moduleNames, "http_"+name+"_module") || name == "client_body" || name == "proxy" {
			fmt.Fprintf(&b, "%s_temp_path %s/%s;\n", name, st.temp, name)
		}
	}
	if p.mimeTypes != "" {
		fmt.Fprintf(&b, "include %s/mime.types;\n", st.dir)
	}
	fmt.Fprintf(&b, "include %s/%s;\n}\n", st.tree(), nginxconf.Include)
	return b.String()
}

// rewritten is one file with its paths and addresses replaced. What our parser does not
// take is left as it is, for nginx to judge.
func (st *stage) rewritten(text string) string {
	c, err := nginxconf.Parse("", text)
	if err != nil {
		return text
	}
	changed := false
	c.Walk(func(_ []*nginxconf.Directive, d *nginxconf.Directive) {
		for i := range d.Words[1:] {
			w := &d.Words[1+i]
			if value := st.word(d.Name(), i, w.Value); value != w.Value {
				w.Raw = nginxconf.Quote(value) + strings.Repeat("\n", strings.Count(w.Raw, "\n"))
				changed = true
			}
		}
	})
	if !changed {
		return text
	}
	return c.String()
}

// word is what stands in the sandbox for the argument i of a directive.
func (st *stage) word(directive string, i int, value string) string {
	switch directive {
	case "listen":
		if i == 0 {
			return st.address(value)
		}
	case "access_log", "error_log", "pid":
		if i == 0 && strings.HasPrefix(value, "/") && !strings.Contains(value, "$") {
			return st.temp + "/log"
		}
	case "ssl_certificate", "proxy_ssl_certificate", "ssl_client_certificate", "ssl_trusted_certificate", "proxy_ssl_trusted_certificate":
		return st.stubs.certificate(value)
	case "ssl_certificate_key", "proxy_ssl_certificate_key":
		return st.stubs.key(value)
	}
	if st.treePath == "" {
		return value
	}
	return strings.ReplaceAll(value, path.Clean(st.treePath)+"/", st.tree()+"/")
}

// address is what a listen directive tries instead: a port of loopback, the same for the
// same address. Which addresses the node has is for the node to know.
func (st *stage) address(value string) string {
	if instead, ok := st.addresses[value]; ok {
		return instead
	}
	n := len(st.addresses)
	instead := fmt.Sprintf("127.77.%d.%d:%d", n>>8&255, n&255, 20000)
	switch {
	case strings.HasPrefix(value, "unix:"):
		instead = "unix:" + st.temp + "/" + strconv.Itoa(n) + ".sock"
	case strings.HasPrefix(value, "["):
		instead = "[::1]:" + strconv.Itoa(20000+n)
	}
	st.addresses[value] = instead
	return instead
}
