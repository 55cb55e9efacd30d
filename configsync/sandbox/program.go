package sandbox

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// program is the nginx that checks, with all that it needs to start.
type program struct {
	path        string
	version     string   // "1.22.1"
	moduleNames []string // as in gateway.NodeFacts, sorted
	modules     []string // shared objects to load, in order
	binds       []string
	libraries   []string // folders
	mimeTypes   string   // content of the file that nginx.conf usually includes
}

var (
	versionLine = regexp.MustCompile(`(?m)^nginx version: \S*?/(\S+)`)
	moduleFlag  = regexp.MustCompile(`--(with|without)-(\w+_module)\b`)
	pathFlag    = regexp.MustCompile(`--(prefix|conf-path)=(\S+)`)
	loaderLine  = regexp.MustCompile(`(?m)^\s*(?:\S+ => )?(/\S+) \(0x`)
)

func readProgram(ctx context.Context, path, modules string) (*program, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-V").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ask for its version: %w: %s", err, out)
	}
	p := &program{path: path, moduleNames: slices.Clone(nginxconf.BuiltIn)}
	prefix, conf := p.parse(string(out))
	if p.version == "" {
		return nil, fmt.Errorf("read the output of -V: no version in %q", out)
	}
	if modules == "" {
		modules = filepath.Join(filepath.Dir(conf), "modules-enabled", "*.conf")
	}
	if err := p.findModules(prefix, modules); err != nil {
		return nil, err
	}
	if b, err := os.ReadFile(filepath.Join(filepath.Dir(conf), "mime.types")); err == nil {
		p.mimeTypes = string(b)
	}
	return p, p.findLibraries(ctx)
}

// parse reads what "nginx -V" prints.
func (p *program) parse(out string) (prefix, conf string) {
	if m := versionLine.FindStringSubmatch(out); m != nil {
		p.version = m[1]
	}
	for _, m := range moduleFlag.FindAllStringSubmatch(out, -1) {
		if m[1] == "with" {
			p.moduleNames = append(p.moduleNames, m[2])
		} else {
			p.moduleNames = slices.DeleteFunc(p.moduleNames, func(s string) bool { return s == m[2] })
		}
	}
	slices.Sort(p.moduleNames)
	p.moduleNames = slices.Compact(p.moduleNames)
	prefix, conf = "/usr/local/nginx", "conf/nginx.conf"
	for _, m := range pathFlag.FindAllStringSubmatch(out, -1) {
		if m[1] == "prefix" {
			prefix = m[2]
		} else {
			conf = m[2]
		}
	}
	return prefix, absolute(prefix, conf)
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// findModules takes the load_module lines out of the files that match a pattern. A module
// that is not there any more is left out, as the machine's own nginx may be half removed.
func (p *program) findModules(prefix, pattern string) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("look for modules in %q: %w", pattern, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		c, err := nginxconf.Parse(name, string(b))
		if err != nil {
			return err
		}
		for _, d := range c.Directives {
			if d.Name() != "load_module" || len(d.Args()) != 1 {
				continue
			}
			path, err := filepath.EvalSymlinks(absolute(prefix, d.Args()[0]))
			if err == nil && !slices.Contains(p.modules, path) {
				p.modules = append(p.modules, path)
			}
		}
	}
	return nil
}

// luaFolders are where the Lua module finds the part of itself that is written in Lua.
var luaFolders = []string{"/usr/share/lua", "/usr/local/share/lua", "/usr/local/lib/lua", "/usr/lib/x86_64-linux-gnu/lua", "/usr/lib/aarch64-linux-gnu/lua"}

// findLibraries asks the loader what the program and its modules need.
func (p *program) findLibraries(ctx context.Context) error {
	p.binds = append([]string{p.path}, p.modules...)
	loader, err := interpreter(p.path)
	if err != nil {
		return err
	}
	if loader == "" {
		return nil // linked statically
	}
	p.binds = append(p.binds, loader)
	for _, object := range append([]string{p.path}, p.modules...) {
		out, err := exec.CommandContext(ctx, loader, "--list", object).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ask %s what %s needs: %w: %s", loader, object, err, bytes.TrimSpace(out))
		}
		for _, m := range loaderLine.FindAllStringSubmatch(string(out), -1) {
			p.binds = append(p.binds, m[1])
			p.libraries = append(p.libraries, filepath.Dir(m[1]))
		}
		if strings.Contains(filepath.Base(object), "lua") {
			p.binds = append(p.binds, existing(luaFolders)...)
		}
	}
	slices.Sort(p.binds)
	p.binds = slices.Compact(p.binds)
	slices.Sort(p.libraries)
	p.libraries = slices.Compact(p.libraries)
	return nil
}

// interpreter is the loader that a program names, or "" when it needs none.
func interpreter(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the program %s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			b := make([]byte, s.Filesz)
			if _, err := s.ReadAt(b, 0); err != nil {
				return "", fmt.Errorf("read the program %s: %w", path, err)
			}
			return string(bytes.TrimRight(b, "\x00")), nil
		}
	}
	return "", nil
}

func existing(paths []string) []string {
	var list []string
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			list = append(list, path)
		}
	}
	return list
}
