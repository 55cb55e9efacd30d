package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// build is what "nginx -V" tells.
type build struct {
	version  string
	modules  []string // sorted
	prefix   string
	confPath string
	pidPath  string
	logPath  string // of the access log that is written where nothing is said
	// luaBuiltIn says that the Lua module need not be loaded, as in OpenResty.
	luaBuiltIn bool
}

var (
	versionLine = regexp.MustCompile(`(?m)^nginx version: \S*?/(\S+)`)
	moduleFlag  = regexp.MustCompile(`--(with|without)-(\w+_module)\b`)
	luaFlag     = regexp.MustCompile(`--add-module=\S*(ngx_lua|lua-nginx-module)`)
	pathFlag    = regexp.MustCompile(`--(prefix|conf-path|pid-path|http-log-path)=(\S+)`)
)

func readBuild(ctx context.Context, binary string) (build, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "-V").CombinedOutput()
	if err != nil {
		return build{}, fmt.Errorf("ask %s for its version: %w: %s", binary, err, out)
	}
	return parseBuild(string(out))
}

func parseBuild(out string) (build, error) {
	v := versionLine.FindStringSubmatch(out)
	if v == nil {
		return build{}, fmt.Errorf("read the output of nginx -V: no version in %q", out)
	}
	b := build{version: v[1], prefix: "/usr/local/nginx", modules: slices.Clone(nginxconf.BuiltIn), luaBuiltIn: luaFlag.MatchString(out)}
	for _, m := range moduleFlag.FindAllStringSubmatch(out, -1) {
		if m[1] == "with" {
			b.modules = append(b.modules, m[2])
		} else {
			b.modules = slices.DeleteFunc(b.modules, func(s string) bool { return s == m[2] })
		}
	}
	slices.Sort(b.modules)
	b.modules = slices.Compact(b.modules)
	for _, m := range pathFlag.FindAllStringSubmatch(out, -1) {
		switch m[1] {
		case "prefix":
			b.prefix = m[2]
		case "conf-path":
			b.confPath = m[2]
		case "pid-path":
			b.pidPath = m[2]
		case "http-log-path":
			b.logPath = m[2]
		}
	}
	if b.confPath == "" {
		b.confPath = "conf/nginx.conf"
	}
	if b.pidPath == "" {
		b.pidPath = "logs/nginx.pid"
	}
	if b.logPath == "" {
		b.logPath = "logs/access.log"
	}
	b.confPath = under(b.prefix, b.confPath)
	return b, nil
}

// under makes a path absolute.
func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return strings.TrimRight(path, "/")
	}
	return filepath.Join(dir, path)
}

// fileStamp changes when a file is replaced.
func fileStamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size(), info.Sys().(*syscall.Stat_t).Ino)
}

// older is the build that both the running nginx and the one on disk can do.
func (n *nginx) older() build {
	if n.old == nil {
		return n.build
	}
	b := n.build
	if lessVersion(n.old.version, b.version) {
		b.version = n.old.version
	}
	b.modules = slices.DeleteFunc(slices.Clone(b.modules), func(m string) bool { return !slices.Contains(n.old.modules, m) })
	return b
}

// lessVersion compares versions such as "1.9.15" and "1.22.1".
func lessVersion(a, b string) bool {
	number := func(s string) (list []int) {
		for _, part := range strings.Split(s, ".") {
			n, _ := strconv.Atoi(part) // what is no number counts as the oldest
			list = append(list, n)
		}
		return list
	}
	return slices.Compare(number(a), number(b)) < 0
}

// facts are what the renderer and the control plane know about the node.
func (a *agent) facts() gateway.NodeFacts {
	b := a.nginx.older()
	return gateway.NodeFacts{
		NginxVersion: b.version,
		Modules:      a.lua.modules(b.modules),
		ConfPath:     a.nginx.conf,
		TreePath:     a.disk.link(),
		Listen:       a.cfg.Listen,
		ListenTLS:    a.cfg.ListenTLS,
		TrustedCA:    trustedCA(),
		DigestListen: a.cfg.DigestListen,
		Outcomes:     a.outcomes.target(),
		AccessLog:    a.nginx.accessLog,
		Main:         a.nginx.main,
		PID:          a.nginx.master(),
		AgentVersion: a.cfg.Version,
	}
}
