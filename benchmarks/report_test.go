package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
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

// sample is a run of two scenarios with three rounds in alternating order. HAProxy failed
// in the second round of the first, Sluice cannot do the second, and Caddy was not chosen.
func sample() report {
	s := scenarioResult{Name: "http1", About: scenarios[0].About, Main: cpuMicros, Missing: []missing{{"haproxy", "failed: round 2: it ended"}}}
	at := func(round int, peer string, cpu float64) {
		s.Turns = append(s.Turns, turn{Round: round, Peer: peer, Values: values{cpuMicros: cpu, rate: 1e6 / cpu, p50: 60 * cpu,
			p99: 100 * cpu, p999: 200 * cpu, memoryMiB: cpu, corePercent: 98, othersPercent: float64(round)}})
	}
	at(1, "nginx", 10)
	at(1, "haproxy", 40)
	at(1, "sluice", 11)
	at(2, "sluice", 9)
	at(2, "nginx", 12)
	at(3, "nginx", 11)
	at(3, "sluice", 11)
	s.summarize()
	idle := scenarioResult{Name: "idle_tls", About: "many <idle> connections", Main: idleKiB, Missing: []missing{{"sluice", "not supported: no TLS"}},
		Turns: []turn{{1, "nginx", values{idleKiB: 16, memoryMiB: 90}}, {2, "nginx", values{idleKiB: 14.5, memoryMiB: 91}}}}
	idle.summarize()
	r := report{
		Date: "2026-11-21", Commit: "0123456789", Command: "go run ./benchmarks", Rounds: 3, Seconds: 5,
		Machine:  machine{CPU: "Example CPU", Cores: 2, Kernel: "6.1.0", System: "Debian GNU/Linux 12 (bookworm)", LoadBefore: "0.05"},
		Versions: map[string]string{"nginx": "nginx/1.22.1", "sluice": "0.1.0"}, Files: map[string][]string{"nginx": nginx.templates()},
		Scenarios: []scenarioResult{s, idle},
	}
	r.Figures = append(s.figures(scenarios[0]), idle.figures(scenario{goals: []goal{{"idle_tls_kib", idleKiB, "", 32}}})...)
	return r
}

func TestRatiosCompareTurnsOfTheSameRound(t *testing.T) {
	ratios := sample().Scenarios[0].Ratios
	want := []peerRatio{{Peer: "sluice", To: "nginx", Ratio: spread{1, 0.75, 1.1}, Rounds: []float64{1.1, 0.75, 1}}}
	if !reflect.DeepEqual(ratios, want) {
		t.Errorf("%+v, want %+v", ratios, want)
	}
}

// The lines that other programs read.
func TestFiguresOfGoals(t *testing.T) {
	var text string
	for _, f := range sample().Figures {
		if f.Goal != nil {
			text += f.String() + "\n"
		}
	}
	const want = "figure http1_ratio 1.00 ratio goal 0.90\nmissing caddy_ratio goal 0.25: was not run\nfigure p99_vs_nginx 1.00 ratio goal 1.00\n" +
		"missing idle_tls_kib goal 32: sluice not supported: no TLS\n"
	if text != want {
		t.Errorf("figures\n%swant\n%s", text, want)
	}
	// What must never happen is the worst round, not the median.
	churned := scenarioResult{Main: churnRatio, Turns: []turn{{1, "sluice", values{churnErrors: 0}}, {2, "sluice", values{churnErrors: 2}}, {3, "sluice", values{churnErrors: 0}}}}
	churned.summarize()
	if f := churned.figureOf(goal{"churn_errors", churnErrors, "", 0}); f.String() != "figure churn_errors 2.00 count goal 0.00" {
		t.Error(f)
	}
}

func TestReportIsAsRecorded(t *testing.T) {
	var out strings.Builder
	if err := publish(sample(), "", &out); err != nil {
		t.Fatal(err)
	}
	for golden, text := range map[string]string{"testdata/report.txt": out.String(), "testdata/chart.svg": sample().chart()} {
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("differs from %s (go test -update rewrites it):\n%s", golden, text)
		}
	}
}

func TestChartIsXML(t *testing.T) {
	for d := xml.NewDecoder(strings.NewReader(sample().chart())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoiseIsSaid(t *testing.T) {
	const warning = "\nNOISY: other programs used 31 % of a core."
	r := sample()
	if text := r.markdown(); strings.Contains(text, "NOISY") {
		t.Errorf("a quiet run warns:\n%s", text)
	}
	for _, core := range []metric{othersPercent, loadOthers} {
		r := sample()
		r.Scenarios[0].Peers[1].Values[core] = spread{31, 1, 60}
		if text := r.markdown(); !strings.Contains(text, warning) {
			t.Errorf("%s: no warning %q in\n%s", core, warning, text)
		}
	}
}

func TestResultFilesHoldEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	r := sample()
	base := filepath.Join(dir, "2026-11-21-0123456789")
	for range 2 { // the second time replaces the first
		names, err := r.write(dir)
		if want := []string{base + ".json", base + ".md", base + ".svg"}; err != nil || !slices.Equal(names, want) {
			t.Fatalf("wrote %v, %v, want %v", names, err, want)
		}
	}
	text, err := os.ReadFile(base + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("read back %+v, %v", back, err)
	}
	if text, err := os.ReadFile(base + ".md"); err != nil || string(text) != r.markdown() {
		t.Errorf("the Markdown file is not the report: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("folder holds %v, %v", files, err)
	}
}
