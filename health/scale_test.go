package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The variables of processes that this test starts: what they are, and what they measure.
const (
	roleVariable    = "SLUICE_PROBE_ROLE"
	measureVariable = "SLUICE_PROBE_MEASURE"
	// endpointsVariable is set by make figures; unset, the test is small and its bounds are
	// ten times as wide.
	endpointsVariable = "SLUICE_PROBE_ENDPOINTS"
)

// measurement is what a process of the role "prober" is asked for.
type measurement struct {
	Type      string
	Port      string
	Endpoints int
	Interval  time.Duration
	Window    time.Duration
}

// measured is what it answers.
type measured struct {
	Succeeded, Failed uint64
	Cores             float64 // user and system time over time
	RSS               float64 // MB
	Live              float64 // KB of live memory for each endpoint
}

// Probing many endpoints: CPU and memory of the process that probes, with the trackers of the
// endpoints, answered by another process on loopback.
func TestManyEndpoints(t *testing.T) {
	m := measurement{Endpoints: 1000, Interval: time.Second, Window: 3 * time.Second}
	full := os.Getenv(endpointsVariable) != ""
	if full {
		n, err := strconv.Atoi(os.Getenv(endpointsVariable))
		if err != nil {
			t.Fatalf("%s: %v", endpointsVariable, err)
		}
		m = measurement{Endpoints: n, Interval: 5 * time.Second, Window: 15 * time.Second}
	}
	for _, m.Type = range []string{"tcp", "http"} {
		t.Run(m.Type, func(t *testing.T) {
			m.Port = responder(t)
			got := measure(t, m)
			expected := float64(m.Endpoints) * m.Window.Seconds() / m.Interval.Seconds()
			perProbe := got.Cores * m.Window.Seconds() * 1e6 / float64(got.Succeeded+got.Failed)
			t.Logf("%d endpoints every %s by %s: %d probes and %d failures in %s, %.2f cores, %.0f us for each probe, %.0f MB, %.1f KB for each endpoint",
				m.Endpoints, m.Interval, m.Type, got.Succeeded, got.Failed, m.Window, got.Cores, perProbe, got.RSS, got.Live)
			if !full {
				if float64(got.Succeeded) < expected/2 || perProbe > 500 || got.Live > 40 {
					t.Errorf("%+v: want %.0f probes that succeed, at most 500 us for each, 40 KB for each endpoint", got, expected/2)
				}
				return
			}
			name := fmt.Sprintf("probes_%dk_%s", m.Endpoints/1000, m.Type)
			fmt.Printf("figure %s_cores %.2f cores goal 0.5\n", name, got.Cores)
			fmt.Printf("figure %s_rss_mb %.0f MB goal 200\n", name, got.RSS)
			if float64(got.Succeeded) < 0.95*expected || got.Failed > got.Succeeded/1000 {
				t.Errorf("%d probes succeeded and %d failed; want %.0f and none", got.Succeeded, got.Failed, expected)
			}
			if m.Type == "tcp" && (got.Cores >= 0.5 || got.RSS >= 200) {
				t.Errorf("%.2f cores and %.0f MB; want less than 0.5 cores and 200 MB", got.Cores, got.RSS)
			}
		})
	}
}

// again starts this binary in another role. What it says goes to out; it ends with its input.
func again(t *testing.T, role, measure string) (*exec.Cmd, io.ReadCloser) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, measureVariable+"="+measure)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// responder starts a process that answers on every address of loopback, and returns its port.
func responder(t *testing.T) (port string) {
	t.Helper()
	cmd, out := again(t, "responder", "")
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		var killed *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &killed) {
			t.Error(err)
		}
	})
	if _, err := fmt.Fscanln(out, &port); err != nil {
		t.Fatal(err)
	}
	return port
}

func measure(t *testing.T, m measurement) (got measured) {
	t.Helper()
	asked, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	cmd, out := again(t, "prober", string(asked))
	if err := errors.Join(json.NewDecoder(out).Decode(&got), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	return got
}

// runProber probes for a while, as a Health does, and says what that cost.
func runProber() error {
	var m measurement
	if err := json.Unmarshal([]byte(os.Getenv(measureVariable)), &m); err != nil {
		return err
	}
	before := live()
	h := New(Config{Log: slog.New(slog.DiscardHandler)})
	h.Apply(manyEndpoints(m))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { _ = h.Run(ctx) }()
	time.Sleep(m.Interval * 6 / 5) // every endpoint has been probed
	first, cpu, began := h.probesSoFar(), cpuTime(), time.Now()
	time.Sleep(m.Window)
	last, window := h.probesSoFar(), time.Since(began)
	cpu = cpuTime() - cpu
	rss, err := residentMB()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(measured{
		Succeeded: last.succeeded - first.succeeded, Failed: last.failed - first.failed,
		Cores: cpu.Seconds() / window.Seconds(), RSS: rss,
		Live: (live() - before) / float64(m.Endpoints) / 1024,
	})
}

// manyEndpoints are spread over loopback's addresses, a hundred to an upstream.
func manyEndpoints(m measurement) *gateway.Snapshot {
	check := filled(gateway.EffectiveCheck{
		Active:  &gateway.ActiveCheck{Type: m.Type, Interval: gateway.Duration(m.Interval)},
		Passive: &gateway.PassiveCheck{},
	})
	s := &gateway.Snapshot{}
	for i := range m.Endpoints {
		if i%100 == 0 {
			key := gateway.UpstreamKey{Tenant: "acme", Name: fmt.Sprintf("api-%05d", i/100)}
			s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: key, Protocol: "http", Health: check})
		}
		u := s.Upstreams[i/100]
		address := fmt.Sprintf("127.%d.%d.%d:%s", 1+i>>16, i>>8&0xff, i&0xff, m.Port)
		u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: address, Weight: 1})
	}
	return s
}

func (h *Health) probesSoFar() (sum probeCounts) {
	for _, u := range h.sorted() {
		_, _, c := u.counts()
		sum.succeeded += c.succeeded
		sum.failed += c.failed
	}
	return sum
}

// live is the memory in use after a collection, in bytes.
func live() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func residentMB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmRSS")
}

// runResponder accepts on every address and answers what begins like HTTP, until it is killed.
func runResponder() error {
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	fmt.Println(port)
	for range runtime.NumCPU() {
		go accept(ln)
	}
	select {}
}

func respond(conn net.Conn) {
	defer closeQuietly(conn)
	if n, err := conn.Read(make([]byte, 512)); err == nil && n > 4 {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
	}
}
