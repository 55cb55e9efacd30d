package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 4}, spread{4, 1, 9}},
		{[]float64{8, 2, 4, 1}, spread{3, 1, 8}},
	} {
		before := slices.Clone(c.values)
		if got := spreadOf(c.values); got != c.want || !slices.Equal(before, c.values) {
			t.Errorf("spread of %v is %+v, want %+v; afterwards the values are %v", before, got, c.want, c.values)
		}
	}
}

// sample is a run with three rounds of three peers in alternating order.
func sample() report {
	s := scenarioResult{Name: "http1", About: scenarios[0].About, Goal: 1.10}
	at := func(round int, peer string, cpu float64) {
		s.Turns = append(s.Turns, turn{Round: round, Peer: peer, Requests: int64(5e6 / cpu), Seconds: 5, CPUMicros: cpu, RequestsPerSecond: 1e6 / cpu,
			P50Micros: 60 * cpu, P99Micros: 100 * cpu, CorePercent: 98, OthersPercent: float64(round)})
	}
	at(1, "nginx", 10)
	at(1, "sluice", 11)
	at(1, "other", 40)
	at(2, "other", 44)
	at(2, "sluice", 9)
	at(2, "nginx", 12)
	at(3, "nginx", 11)
	at(3, "sluice", 11)
	at(3, "other", 55)
	s.summarize()
	return report{
		Date: "2026-11-21", Commit: "0123456789", Command: "go run ./benchmarks", Rounds: 3, Seconds: 5,
		Machine:  machine{CPU: "Example CPU", Cores: 2, Kernel: "6.1.0", System: "Debian GNU/Linux 12 (bookworm)", LoadBefore: "0.05"},
		Versions: map[string]string{"nginx": "nginx/1.22.1", "sluice": "0.1.0"}, Scenarios: []scenarioResult{s}, Figures: s.figures(),
	}
}

func TestRatiosCompareTurnsOfTheSameRound(t *testing.T) {
	ratios := sample().Scenarios[0].Ratios
	want := []peerRatio{
		{Peer: "sluice", To: "nginx", Ratio: spread{1, 0.75, 1.1}, Rounds: []float64{1.1, 0.75, 1}},
		{Peer: "other", To: "nginx", Ratio: spread{4, 44.0 / 12, 5}, Rounds: []float64{4, 44.0 / 12, 5}},
	}
	if !reflect.DeepEqual(ratios, want) {
		t.Errorf("%+v, want %+v", ratios, want)
	}
}

func TestReportIsAsRecorded(t *testing.T) {
	var out strings.Builder
	if err := publish(sample(), "", &out); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the report differs from %s (go test -update rewrites it):\n%s", golden, &out)
	}
}

func TestNoiseIsSaid(t *testing.T) {
	const warning = "\nNOISY: other programs used 31 % of the proxies' core."
	r := sample()
	if text := r.markdown(); strings.Contains(text, "NOISY") {
		t.Errorf("a quiet run warns:\n%s", text)
	}
	r.Scenarios[0].Peers[1].OthersPercent = spread{31, 1, 60}
	if text := r.markdown(); !strings.Contains(text, warning) {
		t.Errorf("no warning %q in\n%s", warning, text)
	}
}

func TestResultFilesHoldEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	r := sample()
	for range 2 { // the second time replaces the first
		names, err := r.write(dir)
		want := []string{filepath.Join(dir, "2026-11-21-0123456789.json"), filepath.Join(dir, "2026-11-21-0123456789.md")}
		if err != nil || !slices.Equal(names, want) {
			t.Fatalf("wrote %v, %v, want %v", names, err, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "2026-11-21-0123456789.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("read back %+v, %v", back, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "2026-11-21-0123456789.md")); err != nil || string(text) != r.markdown() {
		t.Errorf("the Markdown file is not the report: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("folder holds %v, %v", files, err)
	}
}
