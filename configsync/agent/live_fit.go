package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// luaFit knows whether nginx can balance by endpoint sets. It belongs to the agent's loop.
type luaFit struct {
	live   *live
	master int    // for which live.failure counts
	tried  string // the modules and the binary that the self-test was made with
	trial  string // why it failed
	reason string // why endpoints stand in the files; empty: they need not
}

// look finds out by what nginx loads, and by a self-test whenever that changes.
func (f *luaFit) look(ctx context.Context, n *nginx, files []loadedFile, link string) {
	if master := n.master(); master != f.master {
		f.master = master
		f.live.forgive() // another nginx, another chance
		f.live.own(master)
	}
	prefix := n.build.prefix
	if n.prefix != "" {
		prefix = n.prefix
	}
	modules := loadedModules(files, prefix)
	switch why := luaMissing(n.build.luaBuiltIn, modules); {
	case why != "":
		f.reason = why
	case ownLua(files, link) != "":
		f.reason = ownLua(files, link) + " has init_by_lua of its own, and nginx knows one only"
	default:
		if key := n.binary + " " + n.build.version + " " + strings.Join(modules, " "); key != f.tried {
			f.tried, f.trial = key, ""
			if err := luaTrial(ctx, n.binary, modules, nginxUser(files), luaPaths(files)); err != nil {
				f.trial = err.Error()
			}
		}
		f.reason = f.trial
		if failure := f.live.failed(); f.reason == "" && failure != "" {
			f.reason = failure
		}
	}
}

// modules are the facts' modules with that of Lua, where it works.
func (f *luaFit) modules(built []string) []string {
	if f.reason != "" {
		return built
	}
	list := append(slices.Clone(built), nginxconf.ModuleLua)
	slices.Sort(list)
	return list
}

// endpoints says how the node gets its endpoints, in the words of NodeReport.Endpoints. tree is
// what is on disk.
func (f *luaFit) endpoints(tree *nginxconf.Tree) string {
	switch {
	case f.reason != "":
		return gateway.EndpointsInFiles + ": " + f.reason
	case tree == nil:
		return gateway.EndpointsInFiles + ": there is no bundle yet"
	case tree.File(nginxconf.LuaFile) == nil:
		return gateway.EndpointsInFiles + ": the bundle has them in its files, as spec.endpoints of the fleet may ask for"
	}
	return gateway.EndpointsByLua
}

// refused looks at a bundle that failed: nginx may have stumbled over our Lua.
func (f *luaFit) refused(failed *gateway.ApplyFailure) {
	if failed == nil || (failed.Step != stepCheck && failed.Step != stepReload) {
		return
	}
	if failed.File == nginxconf.LuaFile || luaWords.MatchString(failed.Message) {
		f.live.fail("nginx refused the Lua part: " + failed.Message)
	}
}

// luaWords are in nginx's complaints about what is only in trees with Lua.
var luaWords = regexp.MustCompile(`_by_lua|lua_shared_dict|/live/push\.sock`)

// loadedModules are the paths of load_module in the main context.
func loadedModules(files []loadedFile, prefix string) []string {
	var list []string
	for _, f := range files {
		if f.config == nil {
			continue
		}
		for _, d := range f.config.Directives {
			if args := d.Args(); d.Name() == "load_module" && len(args) == 1 {
				list = append(list, under(prefix, args[0]))
			}
		}
	}
	return list
}

func luaMissing(builtIn bool, modules []string) string {
	has := func(name string) bool {
		return slices.ContainsFunc(modules, func(path string) bool { return filepath.Base(path) == name })
	}
	switch {
	case builtIn || has("ngx_http_lua_module.so") && has("ndk_http_module.so"):
		return ""
	case has("ngx_http_lua_module.so"):
		return "nginx loads ngx_http_lua_module.so without ndk_http_module.so, which set_by_lua needs"
	}
	return "nginx does not load ngx_http_lua_module.so (Debian: libnginx-mod-http-lua)"
}

// ownLua is the file outside of the tree that has init_by_lua, or nothing.
func ownLua(files []loadedFile, link string) string {
	for _, f := range files {
		if f.config == nil || strings.HasPrefix(f.path, link+"/") {
			continue
		}
		found := false
		f.config.Walk(func(_ []*nginxconf.Directive, d *nginxconf.Directive) {
			found = found || strings.HasPrefix(d.Name(), "init_by_lua")
		})
		if found {
			return f.path
		}
	}
	return ""
}

// luaPaths are the directives that tell where Lua's own modules are.
func luaPaths(files []loadedFile) string {
	var b strings.Builder
	for _, f := range files {
		if f.config == nil {
			continue
		}
		f.config.Walk(func(_ []*nginxconf.Directive, d *nginxconf.Directive) {
			if args := d.Args(); (d.Name() == "lua_package_path" || d.Name() == "lua_package_cpath") && len(args) == 1 {
				b.WriteString("    " + d.Name() + " " + nginxconf.Quote(args[0]) + ";\n")
			}
		})
	}
	return b.String()
}

// nginxUser is nginx.conf's directive of who workers are: the one compiled in may not exist.
func nginxUser(files []loadedFile) string {
	user := mainDirective(files, "user")
	if user == "" || os.Getuid() != 0 {
		return ""
	}
	return "user " + nginxconf.Quote(user) + ";\n"
}

// luaTrial runs our Lua in an nginx of its own, which ends before it serves anything. "nginx -t"
// would not run it.
func luaTrial(ctx context.Context, binary string, modules []string, user, paths string) error {
	dir, err := os.MkdirTemp("", "sluice-lua-")
	if err != nil {
		return fmt.Errorf("try Lua: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var b strings.Builder
	for _, m := range modules {
		if name := filepath.Base(m); name == "ngx_http_lua_module.so" || name == "ndk_http_module.so" {
			b.WriteString("load_module " + nginxconf.Quote(m) + ";\n")
		}
	}
	b.WriteString(user)
	b.WriteString("daemon off;\nmaster_process off;\npid " + dir + "/pid;\nerror_log " + dir + "/error.log;\nevents {}\nhttp {\n    access_log off;\n" + paths)
	for _, name := range []string{"client_body", "proxy", "fastcgi", "scgi", "uwsgi"} {
		b.WriteString("    " + name + "_temp_path " + dir + "/" + name + ";\n")
	}
	b.WriteString(nginxconf.LuaTrial())
	b.WriteString("}\n")
	conf := filepath.Join(dir, "nginx.conf")
	if err := writeFile(conf, []byte(b.String()), nil); err != nil {
		return fmt.Errorf("try Lua: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "-c", conf, "-p", dir).CombinedOutput()
	if err == nil && strings.Contains(string(out), nginxconf.LuaTrialPassed) {
		return nil
	}
	log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
	message := parseMessage(string(log) + "\n" + string(out)).message
	if message == "" {
		message = fmt.Sprintf("nginx ended with %v: %.200s", err, out)
	}
	return fmt.Errorf("nginx can not run our Lua: %s", message)
}
