package health

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

var quietly = slog.New(slog.DiscardHandler)

// told is the i-th event of an upstream, with evidence.
func told(i int, at time.Time) gateway.HealthEvent {
	k := gateway.UpstreamKey{Tenant: "acme", Name: "api"}
	return gateway.HealthEvent{At: at, Kind: gateway.EventEjected, Upstream: k, Address: "10.0.0.4:80", From: gateway.StateHealthy, Rule: RuleMaxFails,
		Reason: fmt.Sprintf("reason %d", i), Observer: "edge-1",
		Verdict: &gateway.Verdict{EndpointKey: gateway.EndpointKey{Upstream: k, Address: "10.0.0.4:80"}, State: gateway.StateEjected, Since: at, Until: at.Add(time.Minute),
			Evidence: gateway.Evidence{Observer: "edge-1", Counts: &gateway.Counts{Window: gateway.Duration(time.Minute), Errors: i},
				Samples: []gateway.Sample{{At: at, Kind: "request", Status: 502, Latency: gateway.Duration(time.Second), Request: 0xabc}}}}}
}

// kept opens the archive of a directory, closes it, and returns what was in it.
func kept(t *testing.T, dir string, now time.Time) []gateway.HealthEvent {
	t.Helper()
	a, events, err := OpenArchive(dir, now, quietly)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a.run(ended)
	return events
}

// What a health has told is there after a restart, newest first and with its evidence; services
// that were bad are not bad again, and nobody is told twice.
func TestLedgerOutlivesRestart(t *testing.T) {
	dir, now := t.TempDir(), time.Now().Truncate(time.Second).UTC()
	a, _, err := OpenArchive(dir, now, quietly)
	if err != nil {
		t.Fatal(err)
	}
	first := New(Config{Node: "edge-1", Archive: a, Log: quietly})
	stop := running(t, first)
	var want []gateway.HealthEvent
	for i := range 5 {
		e := told(i, now.Add(time.Duration(i-10)*time.Second))
		want = append([]gateway.HealthEvent{e}, want...)
		first.ledger.add([]gateway.HealthEvent{e})
	}
	bad := gateway.HealthEvent{At: now, Kind: gateway.EventServiceBad, Upstream: want[0].Upstream, Rule: RuleAllFailing, Reason: "all", Observer: "edge-1"}
	first.ledger.add([]gateway.HealthEvent{bad})
	stop()

	a, earlier, err := OpenArchive(dir, now, quietly)
	if err != nil {
		t.Fatal(err)
	}
	second := New(Config{Node: "edge-1", Archive: a, Earlier: earlier, Log: quietly})
	events, cancel := second.Subscribe(10)
	defer cancel()
	defer running(t, second)()
	if diff := cmp.Diff(append([]gateway.HealthEvent{bad}, want...), second.History(gateway.HealthQuery{})); diff != "" {
		t.Error(diff)
	}
	if p := second.Problems(); len(p) > 0 || len(events) > 0 {
		t.Errorf("%d problems and %d events of an earlier process", len(p), len(events))
	}
}

// A line that a crash cut off, garbage, and events of the day before yesterday are left out, and
// gone from the files then.
func TestArchiveToleratesWhatItFinds(t *testing.T) {
	dir, now := t.TempDir(), time.Now().Truncate(time.Second).UTC()
	good := encodeEvents([]gateway.HealthEvent{told(1, now), told(2, now), told(3, now.Add(-25*time.Hour)), told(4, now.Add(2*time.Hour))})
	text := append([]byte("garbage\n{}\n\n\x00\x00\x00\n"), good...)
	text = append(text, good[:100]...)
	for name, b := range map[string][]byte{"events.jsonl": text, "events.1.jsonl": encodeEvents([]gateway.HealthEvent{told(0, now.Add(-time.Hour))}), ".events-1": text} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []gateway.HealthEvent{told(0, now.Add(-time.Hour)), told(1, now), told(2, now)}
	for range 2 {
		if diff := cmp.Diff(want, kept(t, dir, now)); diff != "" {
			t.Error(diff)
		}
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// The files stay within their bound, and hold the newest events.
func TestArchiveIsBounded(t *testing.T) {
	dir, now := t.TempDir(), time.Now().Truncate(time.Second).UTC()
	a, _, err := OpenArchive(dir, now, quietly)
	if err != nil {
		t.Fatal(err)
	}
	a.part = 20 << 10
	for i := range 300 {
		a.add([]gateway.HealthEvent{told(i, now.Add(time.Duration(i)*time.Millisecond))})
		a.flush()
	}
	size := int64(0)
	for _, name := range []string{a.present(), a.before()} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 2*a.part {
		t.Errorf("%d bytes", size)
	}
	events := kept(t, dir, now)
	if n := len(events); n < 30 || events[n-1].Reason != "reason 299" || a.Lost() != 0 {
		t.Errorf("%d events, %d lost", n, a.Lost())
	}
}

// Nobody waits for a disk: what comes too fast is counted as lost, and a disk that fails costs
// evidence until it works again, and no line besides.
func TestArchiveNeverBlocks(t *testing.T) {
	dir, now := t.TempDir(), time.Now().Truncate(time.Second).UTC()
	a, _, err := OpenArchive(dir, now, quietly)
	if err != nil {
		t.Fatal(err)
	}
	for i := range archiveWaiting + 7 {
		a.add([]gateway.HealthEvent{told(i, now)})
	}
	if a.Lost() != 7 {
		t.Errorf("%d lost", a.Lost())
	}
	a.flush()
	works := a.file
	if a.file, err = os.Open(a.present()); err != nil { // writing to it fails
		t.Fatal(err)
	}
	a.add([]gateway.HealthEvent{told(-1, now)})
	a.flush()
	if a.Lost() != 8 {
		t.Errorf("%d lost", a.Lost())
	}
	_ = a.file.Close()
	a.file = works
	a.add([]gateway.HealthEvent{told(-2, now)})
	a.flush()
	if events := kept(t, dir, now); len(events) != archiveWaiting+1 || events[len(events)-1].Reason != "reason -2" {
		t.Errorf("%d events", len(events))
	}
}

// A directory that can't be written is told of, and health goes on without.
func TestArchiveWithoutDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenArchive(filepath.Join(file, "ledger"), time.Now(), quietly); err == nil {
		t.Error("a directory inside of a file")
	}
}
