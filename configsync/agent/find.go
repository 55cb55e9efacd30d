package agent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// found is an nginx that runs on the machine, as its master process tells.
type found struct {
	pid    int
	exe    string // empty when it can't be read
	conf   string // -c, or empty
	prefix string // -p, or empty
}

// findNginx completes what the configuration says about nginx by what runs on the machine
// and by what the binary was built with.
func findNginx(ctx context.Context, cfg Config) (*nginx, error) {
	conf, err := absolute(cfg.NginxConf)
	if err != nil {
		return nil, err
	}
	var runs found
	if cfg.NginxBinary == "" {
		if runs, err = choose(masters(), conf); err != nil {
			return nil, err
		}
	}
	n := &nginx{seen: seenFiles{}, binary: cmp.Or(cfg.NginxBinary, runs.exe, inPath()), prefix: cmp.Or(cfg.NginxPrefix, runs.prefix)}
	if n.build, err = readBuild(ctx, n.binary); err != nil {
		return nil, err
	}
	n.conf = cmp.Or(conf, runs.conf, n.build.confPath)
	return n, nil
}

// inPath is where nginx is when none runs.
func inPath() string {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	return "/usr/sbin/nginx"
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// choose finds the nginx that was started with conf. When that is empty, it is the only one
// or the only one without a -c. None is no error: it may be started later.
func choose(list []found, conf string) (found, error) {
	var match, plain []found
	for _, f := range list {
		if conf == "" || f.conf == conf {
			match = append(match, f)
		}
		if f.conf == "" {
			plain = append(plain, f)
		}
	}
	if conf == "" && len(plain) == 1 {
		return plain[0], nil
	}
	switch len(match) {
	case 0:
		return found{}, nil
	case 1:
		return match[0], nil
	}
	var names []string
	for _, f := range match {
		names = append(names, fmt.Sprintf("%d with %s", f.pid, cmp.Or(f.conf, "the configuration file that it was built with")))
	}
	return found{}, fmt.Errorf("%d nginx run here (%s): say which one with --nginx-conf and --nginx", len(match), strings.Join(names, ", "))
}

// masters are the master processes in the agent's own mount namespace: an nginx in a
// container has another file system, and an agent of its own.
func masters() (list []found) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	own, _ := os.Readlink("/proc/self/ns/mnt")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		args, ok := strings.CutPrefix(processTitle(pid), "nginx: master process ")
		if space, err := os.Readlink("/proc/" + e.Name() + "/ns/mnt"); !ok || err == nil && space != own {
			continue
		}
		f := parseMaster(args)
		f.pid = pid
		exe, _ := os.Readlink("/proc/" + e.Name() + "/exe") // a replaced binary is there again under its name
		f.exe = strings.TrimSuffix(exe, " (deleted)")
		list = append(list, f)
	}
	return withoutChildren(list, processParent)
}

// withoutChildren leaves out processes whose parent is in the list: a worker that was forked
// just now has its master's title until it gives itself its own.
func withoutChildren(list []found, parent func(pid int) int) []found {
	all := slices.Clone(list)
	return slices.DeleteFunc(list, func(f found) bool {
		up := parent(f.pid)
		return slices.ContainsFunc(all, func(m found) bool { return m.pid == up })
	})
}

// parseMaster reads nginx's arguments out of a master's title, which has them with spaces
// between and no quotes. A relative path can't be told from here and is left out.
func parseMaster(title string) (f found) {
	words := strings.Fields(title)
	for i := 1; i < len(words); i++ {
		for flag, value := range map[string]*string{"-c": &f.conf, "-p": &f.prefix} {
			path, ok := strings.CutPrefix(words[i], flag)
			if ok && path == "" && i+1 < len(words) {
				path = words[i+1]
			}
			if ok && filepath.IsAbs(path) {
				*value = filepath.Clean(path)
			}
		}
	}
	return f
}

// replaced tells the version of the running nginx when its binary is no longer on disk, as
// after a package upgrade: the master goes on with the old one, also through reloads.
func (n *nginx) replaced(ctx context.Context) (exe string, b build, err error) {
	pid := n.master()
	if pid == 0 {
		return "", build{}, errNotRunning
	}
	exe = "/proc/" + strconv.Itoa(pid) + "/exe"
	path, err := os.Readlink(exe)
	if err != nil {
		return "", build{}, err
	}
	if !strings.HasSuffix(path, " (deleted)") {
		return "", build{}, errors.New("the running binary is the one on disk")
	}
	b, err = readBuild(ctx, exe)
	return exe, b, err
}

// starting says whether somebody is just starting this nginx: it has not taken its
// addresses yet, since a master changes its title only then.
func (n *nginx) starting() bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && n.starts(strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")) {
			return true
		}
	}
	return false
}

// starts says whether a command line starts this nginx, rather than testing or asking it.
func (n *nginx) starts(args []string) bool {
	if len(args) == 0 || filepath.Base(args[0]) != filepath.Base(n.binary) {
		return false
	}
	conf := n.build.confPath
	for i, arg := range args[1:] {
		switch {
		case arg == "-c" && i+2 < len(args):
			conf = args[i+2]
		case strings.HasPrefix(arg, "-c"):
			conf = arg[2:]
		case strings.HasPrefix(arg, "-") && strings.ContainsAny(arg, "tTvVs?h") && !strings.HasPrefix(arg, "-g") && !strings.HasPrefix(arg, "-p"):
			return false
		}
	}
	return conf == n.conf
}
