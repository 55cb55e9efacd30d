package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// tools are the programs that the benchmark runs. Those that no chosen peer or scenario
// needs are empty.
type tools struct{ self, nginx, haproxy, caddy, sluice, wrk, h2load string }

// findTools looks for every program, and names all that are missing in one error. Caddy is
// built if it is not there.
func findTools(ctx context.Context, chosen []peer, sluiceBinary string, say func(string, ...any)) (t tools, err error) {
	var missing, packages []string
	find := func(program, debianPackage string) string {
		for _, name := range []string{program, "/usr/sbin/" + program} { // sbin is not in everyone's PATH
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
		missing, packages = append(missing, program), append(packages, debianPackage)
		return ""
	}
	wanted := func(name string) bool {
		return slices.ContainsFunc(chosen, func(p peer) bool { return p.name == name })
	}
	t.nginx = find("nginx", "nginx") // the origin, too
	t.wrk = find("wrk", "wrk")
	t.h2load = find("h2load", "nghttp2-client")
	find("taskset", "util-linux")
	if wanted("haproxy") {
		t.haproxy = find("haproxy", "haproxy")
	}
	if len(missing) > 0 {
		return t, fmt.Errorf("%s not found: run apt-get install -y %s (as root)", strings.Join(missing, ", "), strings.Join(packages, " "))
	}
	if wanted("sluice") {
		t.sluice = sluiceBinary
		if info, err := os.Stat(sluiceBinary); err != nil || info.IsDir() {
			return t, fmt.Errorf("%s is missing: run make build, or name another binary with -sluice", sluiceBinary)
		}
	}
	if wanted("caddy") {
		if t.caddy, err = buildCaddy(ctx, say); err != nil {
			return t, err
		}
	}
	t.self, err = os.Executable()
	return t, err
}
