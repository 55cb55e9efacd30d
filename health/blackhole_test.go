package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// blackhole is what a process of the role "blackhole" is asked for.
type blackhole struct {
	Endpoints, Dark int // of the endpoints, those behind the black hole
	Interval        time.Duration
	Timeout         time.Duration
	Window          time.Duration
}

// blackholed is what it answers.
type blackholed struct {
	Probes     int           // of the endpoints that answer
	Worst      time.Duration // between two of one endpoint, from the interval
	DarkProbes int
	Down       int      // endpoints that are judged down
	Errors     []string // of the dark endpoints, each once
}

// TestS21Blackhole: endpoints whose packets are dropped delay the probes of no other. One of a thousand,
// and half of them.
func TestS21Blackhole(t *testing.T) {
	b := blackhole{Endpoints: 1000, Interval: time.Second, Timeout: time.Second, Window: 6 * time.Second}
	full := os.Getenv(endpointsVariable) != ""
	if full {
		b = blackhole{Endpoints: 1000, Interval: 5 * time.Second, Timeout: 5 * time.Second, Window: 26 * time.Second}
	}
	for _, b.Dark = range []int{1, 500} {
		t.Run(fmt.Sprint(b.Dark), func(t *testing.T) {
			got := inNamespace(t, b)
			least := (b.Endpoints - b.Dark) * int(b.Window/b.Interval) / 2
			t.Logf("%d of %d endpoints dark: %d probes of the others every %s, at most %s from that; %d of the dark ones, %d down: %q",
				b.Dark, b.Endpoints, got.Probes, b.Interval, got.Worst, got.DarkProbes, got.Down, got.Errors)
			if want := []string{"no answer within " + b.Timeout.String()}; !slices.Equal(got.Errors, want) {
				t.Errorf("dark endpoints: %q, want %q", got.Errors, want)
			}
			if got.Probes < least || got.DarkProbes < b.Dark {
				t.Errorf("%d probes of the others and %d of the dark ones; want %d and %d", got.Probes, got.DarkProbes, least, b.Dark)
			}
			if full {
				fmt.Printf("figure blackholed_%d_of_1000_jitter_ms %d ms goal 1000\n", b.Dark, got.Worst.Milliseconds())
				if got.Worst >= time.Second || got.Down != b.Dark {
					t.Errorf("%s from the interval, %d down; want less than 1s, %d", got.Worst, got.Down, b.Dark)
				}
			}
		})
	}
}

// inNamespace starts this binary again in a network of its own, where it may drop packets.
func inNamespace(t *testing.T, b blackhole) (got blackholed) {
	t.Helper()
	asked, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"=blackhole", measureVariable+"="+string(asked))
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("no network namespace to drop packets in: %v\n%sThis test needs root, or a kernel that lets users make namespaces, and the package iproute2.", err, said.String())
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// A route leads to the other end of a pair of interfaces, where nobody has the addresses and
// nothing is forwarded: packets are dropped without a word.
var intoTheDark = []string{
	"link set lo up",
	"link add bh0 type veth peer name bh1 address 02:00:00:00:00:02",
	"address add 10.255.0.1/24 dev bh0",
	"link set bh0 up",
	"link set bh1 up",
	"neighbour replace 10.255.0.2 lladdr 02:00:00:00:00:02 nud permanent dev bh0",
	"route add 10.254.0.0/16 via 10.255.0.2 dev bh0",
}

func runBlackhole() error {
	var b blackhole
	if err := json.Unmarshal([]byte(os.Getenv(measureVariable)), &b); err != nil {
		return err
	}
	for _, command := range intoTheDark {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil { //nolint:gosec // the list above
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
	}
	ln, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return err
	}
	go accept(ln)
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(b.run(port))
}

// run probes with the real Health and notes when each endpoint was asked.
func (b blackhole) run(port string) (got blackholed) {
	var mu sync.Mutex
	asked := map[string][]time.Time{}
	h := New(Config{Log: slog.New(slog.DiscardHandler)})
	h.prober.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		asked[address] = append(asked[address], time.Now())
		mu.Unlock()
		return connect(ctx, network, address)
	}
	check := gateway.EffectiveCheck{Active: &gateway.ActiveCheck{Type: "tcp", Interval: gateway.Duration(b.Interval), Timeout: gateway.Duration(b.Timeout), Fall: 1}}
	s := &gateway.Snapshot{}
	for i := range b.Endpoints {
		if i%100 == 0 {
			s.Upstreams = append(s.Upstreams, &gateway.EffectiveUpstream{Key: gateway.UpstreamKey{Tenant: "acme", Name: fmt.Sprintf("api-%02d", i/100)}, Health: check})
		}
		address := fmt.Sprintf("127.1.%d.%d:%s", i>>8, i&0xff, port)
		if i*b.Dark%b.Endpoints < b.Dark { // spread over all upstreams
			address = fmt.Sprintf("10.254.%d.%d:%s", i>>8, i&0xff, port)
		}
		u := s.Upstreams[i/100]
		u.Endpoints = append(u.Endpoints, gateway.Endpoint{Address: address, Weight: 1})
	}
	h.Apply(s)
	ctx, cancel := context.WithTimeout(context.Background(), b.Window)
	defer cancel()
	_ = h.Run(ctx) // its only end is ctx's
	said := map[string]bool{}
	for _, v := range h.Verdicts() {
		if v.State == gateway.StateDown {
			got.Down++
			said[v.Reason[strings.LastIndex(v.Reason, "last: ")+len("last: "):]] = true
		}
	}
	got.Errors = slices.Sorted(maps.Keys(said))
	for address, at := range asked {
		if strings.HasPrefix(address, "10.") {
			got.DarkProbes += len(at)
			continue
		}
		got.Probes += len(at)
		for i, next := range at[1:] {
			got.Worst = max(got.Worst, (next.Sub(at[i]) - b.Interval).Abs())
		}
	}
	return got
}

// accept takes connections and ends them when the peer does.
func accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go respond(conn)
		}
	}
}
