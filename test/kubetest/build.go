package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// binaries returns the directory that holds kube-apiserver and etcd, and builds them when
// it is not there yet.
func binaries(ctx context.Context) (string, error) {
	script, err := buildScript()
	if err != nil {
		return "", err
	}
	var stdout bytes.Buffer
	build := exec.CommandContext(ctx, "sh", script)
	build.Stdout, build.Stderr = &stdout, os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build the kube test bed with %s: %w", script, err)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	return lines[len(lines)-1], nil
}

// buildScript finds test/kube/build.sh from any folder of the repository: tests run in the
// folder of their package.
func buildScript() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		script := filepath.Join(dir, "test", "kube", "build.sh")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("test/kube/build.sh is in no folder above this one: run the tests inside the repository")
		}
	}
}
