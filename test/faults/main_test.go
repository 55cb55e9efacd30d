package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// roleVariable makes the test binary an endpoint.
const roleVariable = "SLUICE_FAULTS_ENDPOINT"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		if err := serveEndpoint(); err != nil {
			fmt.Fprintln(os.Stderr, "endpoint:", err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if built.Load() {
		if file, err := binary(); err == nil {
			_ = os.RemoveAll(filepath.Dir(file))
		}
	}
	os.Exit(code)
}

var built atomic.Bool

// binary builds sluice once, without the race detector, as it ships.
var binary = sync.OnceValues(func() (string, error) {
	built.Store(true)
	dir, err := os.MkdirTemp("", "sluice-faults-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", file, "../../cmd/sluice").CombinedOutput(); err != nil {
		return file, fmt.Errorf("build sluice: %w\n%s", err, out)
	}
	return file, nil
})

// until polls f until it gives nil.
func until(t *testing.T, patience time.Duration, what string, f func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := f()
		if err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > patience {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// figure prints a line for `make figures`.
func figure(name string, value float64, unit string, goal string) {
	fmt.Printf("figure %s %.0f %s goal %s\n", name, value, unit, goal)
}
