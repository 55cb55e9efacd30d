package knottest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/freeport"
)

// Key signs dynamic updates: its name, algorithm and secret.
var Key = struct{ Name, Algorithm, Secret string }{"sluice", "hmac-sha256", "c2x1aWNlIHRlc3RzIHNpZ24gdGhlaXIgdXBkYXRlcw=="}

// Server is a running Knot.
type Server struct {
	// Addr is where it listens, over UDP and TCP: "127.0.0.1:port".
	Addr string

	dir     string
	zones   map[string]string
	process *exec.Cmd
	ended   chan struct{}
	log     *bytes.Buffer // complete once ended is closed
}

// Start serves the zones, whose names end in a dot. A zone's text is in the form of RFC 1035
// and begins with its SOA record.
func Start(t testing.TB, zones map[string]string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "knot") // the path of its control socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{dir: dir, zones: zones}
	t.Cleanup(func() {
		s.Stop(t)
		_ = os.RemoveAll(dir)
	})
	for name, text := range zones {
		s.write(t, s.zoneFile(name), text)
	}
	for attempt := 1; ; attempt++ {
		s.Addr = freeport.Address(t)
		err := s.launch(t)
		if err == nil {
			return s
		}
		if attempt == 5 { // each time somebody may have taken the port
			t.Fatalf("knotd does not start: %v\n%s", err, s.log)
		}
	}
}

// Zone replaces the text of a zone, whose SOA serial has to have grown.
func (s *Server) Zone(t testing.TB, name, text string) {
	t.Helper()
	s.write(t, s.zoneFile(name), text)
	s.Control(t, "-b", "zone-reload", name)
}

// Control runs knotc and returns what it prints.
func (s *Server) Control(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/usr/sbin/knotc", append([]string{"-s", s.socket(), "-t", "50"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("knotc %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Serial is the zone's, which each update that changes something makes larger by one.
func (s *Server) Serial(t testing.TB, zone string) uint32 {
	t.Helper()
	out := s.Control(t, "zone-read", zone, "@", "SOA")
	f := strings.Fields(out[strings.Index(out, "SOA"):])
	serial, err := strconv.ParseUint(f[3], 10, 32)
	if err != nil {
		t.Fatalf("the serial in %q: %v", out, err)
	}
	return uint32(serial)
}

// Stop ends the server, if it runs. Its data and its address stay.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		_ = s.process.Process.Kill()
		<-s.ended
	}
	s.process = nil
}

// Restart starts a stopped server where it was.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.launch(t); err != nil {
		t.Fatalf("knotd does not start again: %v\n%s", err, s.log)
	}
}

// launch starts knotd and returns when it serves every zone.
func (s *Server) launch(t testing.TB) error {
	t.Helper()
	s.write(t, filepath.Join(s.dir, "knot.conf"), s.config(t))
	s.log = &bytes.Buffer{}
	s.process = exec.Command("/usr/sbin/knotd", "-c", filepath.Join(s.dir, "knot.conf"))
	s.process.Stdout, s.process.Stderr = s.log, s.log
	if err := s.process.Start(); err != nil {
		t.Fatalf("start knotd (`make packages` installs it): %v", err)
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.process.Wait()
		close(s.ended)
	}()
	deadline := time.After(time.Minute)
	for !s.serves() {
		select {
		case <-s.ended:
			s.process = nil
			return errors.New("it ended")
		case <-deadline:
			s.Stop(t)
			return errors.New("its zones are not served after a minute")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (s *Server) serves() bool {
	if _, err := os.Stat(s.socket()); err != nil {
		return false
	}
	for name := range s.zones {
		out, err := exec.Command("/usr/sbin/knotc", "-s", s.socket(), "zone-read", name, "@", "SOA").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "SOA") {
			return false
		}
	}
	return true
}

func (s *Server) config(t testing.TB) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(s.Addr)
	text := fmt.Sprintf(`server:
    rundir: %[1]s
    user: %[2]s:%[3]s
    pidfile: %[1]s/knot.pid
    listen: %[4]s@%[5]s
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: %[6]s
log:
  - target: stderr
    any: info
database:
    storage: %[1]s
    journal-db: journal
    journal-db-max-size: 16M
    kasp-db-max-size: 5M
    timer-db-max-size: 1M
    catalog-db-max-size: 5M
key:
  - id: %[7]s.
    algorithm: %[8]s
    secret: %[9]s
acl:
  - id: update
    key: %[7]s.
    action: [update, transfer]
template:
  - id: default
    storage: %[1]s
    file: "%%s.zone"
    acl: update
    zonefile-sync: -1
    zonefile-load: difference
    journal-content: changes
zone:
`, s.dir, me.Username, group.Name, host, port, s.socket(), Key.Name, Key.Algorithm, Key.Secret)
	for name := range s.zones {
		text += "  - domain: " + strconv.Quote(name) + "\n"
	}
	return text
}

func (s *Server) socket() string { return filepath.Join(s.dir, "knot.sock") }

func (s *Server) zoneFile(name string) string {
	return filepath.Join(s.dir, strings.TrimSuffix(name, ".")+".zone")
}

func (s *Server) write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
