package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// report is what one run of the program found out, as written to the result files.
type report struct {
	Date      string            `json:"date"` // day, UTC
	Commit    string            `json:"commit"`
	Command   string            `json:"command"`
	Machine   machine           `json:"machine"`
	Versions  map[string]string `json:"versions"`
	Rounds    int               `json:"rounds"`
	Seconds   int               `json:"secondsPerTurn"`
	Scenarios []scenarioResult  `json:"scenarios"`
	Figures   []figure          `json:"figures"`
}

// noiseLimit is how many percent of the proxies' core other programs may use before the
// report warns of its own figures.
const noiseLimit = 5

// markdown is the report for people.
func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks of %s at %s\n\n", r.Date, r.Commit)
	fmt.Fprintf(&b, "%s, %d cores, %s, Linux %s, load average before the run %s.\n\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.System, r.Machine.Kernel, r.Machine.LoadBefore)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, "- %s: %s\n", name, r.Versions[name])
	}
	fmt.Fprintf(&b, "\n`%s`: %d rounds, %d s per turn. Median (least to most); CPU is user + system time per request.\n", r.Command, r.Rounds, r.Seconds)
	for _, s := range r.Scenarios {
		s.markdown(&b)
	}
	return b.String()
}

func (r scenarioResult) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n", r.Name, r.About)
	b.WriteString("| | CPU us/request | requests/s | p50 us | p99 us | own share of the core | others on that core |\n|---|---|---|---|---|---|---|\n")
	for _, p := range r.Peers {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s %% | %s %% |\n", p.Peer, p.CPUMicros.cell(2), p.RequestsPerSecond.cell(0),
			p.P50Micros.cell(0), p.P99Micros.cell(0), p.CorePercent.cell(0), p.OthersPercent.cell(0))
	}
	if noisy := slices.MaxFunc(r.Peers, func(a, b peerSummary) int { return cmp.Compare(a.OthersPercent.Median, b.OthersPercent.Median) }); noisy.OthersPercent.Median > noiseLimit {
		fmt.Fprintf(b, "\nNOISY: other programs used %.0f %% of the proxies' core. Repeat this on a quiet machine before quoting it.\n", noisy.OthersPercent.Median)
	}
	b.WriteString("\n| CPU per request, ratio in the same round | median (least to most) | by round |\n|---|---|---|\n")
	for _, p := range r.Ratios {
		var rounds []string
		for _, ratio := range p.Rounds {
			rounds = append(rounds, fmt.Sprintf("%.2f", ratio))
		}
		name := p.Peer + " / " + p.To
		if p.Peer == "sluice" {
			name += fmt.Sprintf(" (goal: at most %.2f)", r.Goal)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, p.Ratio.cell(2), strings.Join(rounds, ", "))
	}
}

// cell is "median (least to most)".
func (s spread) cell(digits int) string {
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}

// write puts DATE-COMMIT.json and DATE-COMMIT.md into dir, and returns their names.
func (r report) write(dir string) ([]string, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	for suffix, text := range map[string]string{".json": string(text) + "\n", ".md": r.markdown()} {
		name := filepath.Join(dir, r.Date+"-"+r.Commit+suffix)
		if err := replaceFile(name, text); err != nil {
			return nil, fmt.Errorf("write the result %s: %w", name, err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// replaceFile writes the whole file or leaves the old one: temporary file, fsync, rename,
// fsync of the folder.
func replaceFile(name, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".result-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return dir.Sync()
}
