package faults

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inside is set in a process that runs in a network namespace of its own.
const inside = "SLUICE_FAULTS_NAMESPACE"

// inNamespace runs the test again in a new network namespace, and returns true there.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		ip(t, "link set lo up")
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = namespace()
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
	return false
}

func namespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v %s", args, err, out)
	}
}

// far is a network namespace at the other end of a wire.
type far struct {
	t         *testing.T
	wrap      []string // runs a program there
	addresses []string
}

// lay makes the namespace, whose addresses are reached by the link "wire".
func lay(t *testing.T, addresses ...string) *far {
	t.Helper()
	holder := exec.Command("sleep", "600")
	holder.SysProcAttr = namespace()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	pid := fmt.Sprint(holder.Process.Pid)
	f := &far{t: t, addresses: addresses, wrap: []string{"nsenter", "--net=/proc/" + pid + "/ns/net"}}
	ip(t, "link add wire type veth peer name end netns "+pid)
	ip(t, "addr add 10.213.0.254/24 dev wire")
	ip(t, "link set wire up")
	f.ip("link set lo up")
	f.ip("link set end up")
	for _, a := range addresses {
		f.ip("addr add " + a + "/24 dev end")
	}
	return f
}

func (f *far) ip(args string) {
	f.t.Helper()
	line := append(append(f.wrap[1:len(f.wrap):len(f.wrap)], "ip"), strings.Fields(args)...)
	if out, err := exec.Command(f.wrap[0], line...).CombinedOutput(); err != nil {
		f.t.Fatalf("there, ip %s: %v %s", args, err, out)
	}
}

// endpoint starts one there. The namespace is new, so that every port is free.
func (f *far) endpoint(name, address string, port int) *endpoint {
	f.t.Helper()
	e := &endpoint{t: f.t, name: name, address: net.JoinHostPort(address, fmt.Sprint(port)), file: f.t.TempDir() + "/seen", wrap: f.wrap}
	e.start()
	return e
}

// swallow lets every packet vanish on the wire: it goes to a machine that is not there.
func (f *far) swallow(on bool) {
	f.t.Helper()
	for _, a := range f.addresses {
		if on {
			ip(f.t, "neigh replace "+a+" lladdr 02:00:00:00:00:99 dev wire nud permanent")
		} else {
			ip(f.t, "neigh del "+a+" dev wire")
		}
	}
}

// unplug takes the wire away, so that the kernel knows no way.
func (f *far) unplug(on bool) {
	f.t.Helper()
	ip(f.t, "link set wire "+map[bool]string{true: "down", false: "up"}[on])
}
