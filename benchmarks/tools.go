package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// tools are the programs that the benchmark runs.
type tools struct{ nginx, wrk, sluice string }

// findTools looks for every program, and names all that are missing in one error.
func findTools(sluice string) (tools, error) {
	t := tools{sluice: sluice}
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
	t.nginx = find("nginx", "nginx")
	t.wrk = find("wrk", "wrk")
	find("taskset", "util-linux")
	if len(missing) > 0 {
		return t, fmt.Errorf("%s not found: run apt-get install -y %s (as root)", strings.Join(missing, ", "), strings.Join(packages, " "))
	}
	if info, err := os.Stat(sluice); err != nil || info.IsDir() {
		return t, fmt.Errorf("%s is missing: run make build, or name another binary with -sluice", sluice)
	}
	return t, nil
}
