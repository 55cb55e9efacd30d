package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inside is set in a process that runs in a network namespace of its own.
const inside = "SLUICE_E2E_NAMESPACE"

// inNamespace runs the test in a network namespace of its own, whose loopback has the
// addresses: EndpointSlices can't hold those of 127.0.0.0/8. It returns true there, and false
// in the process that has waited for it, where nothing is left to do.
func inNamespace(t *testing.T, addresses ...string) bool {
	t.Helper()
	if os.Getenv(inside) == "" {
		program(t, "sluice") // built outside: the inner process builds its own from the same cache
		outside(t)
		return false
	}
	commands := []string{"link set lo up"}
	for _, a := range addresses {
		commands = append(commands, "addr add "+a+"/32 dev lo")
	}
	for _, args := range commands {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v %s", args, err, out)
		}
	}
	return true
}

// outside runs the test again in a new namespace, and passes its figures on.
func outside(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=15m")
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "figure ") {
			fmt.Print(line)
		}
	}
	if err != nil {
		t.Fatalf("in the namespace: %v\n%s", err, out)
	}
	t.Logf("in the namespace:\n%s", out)
}
