package main

import (
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
	Date      string              `json:"date"` // day, UTC
	Commit    string              `json:"commit"`
	Command   string              `json:"command"`
	Machine   machine             `json:"machine"`
	Versions  map[string]string   `json:"versions"`
	Files     map[string][]string `json:"configurations"` // each peer's, in the repository
	Rounds    int                 `json:"rounds"`
	Seconds   int                 `json:"secondsPerTurn"`
	Scenarios []scenarioResult    `json:"scenarios"`
	Figures   []figure            `json:"figures"`
}

// noiseLimit is how many percent of a core other programs may use before the report warns
// of its own figures.
const noiseLimit = 5

// name is what the result files are called, without suffix.
func (r report) name() string { return r.Date + "-" + r.Commit }

// markdown is the report for people.
func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks of %s at %s\n\n", r.Date, r.Commit)
	fmt.Fprintf(&b, "%s, %d cores, %s, Linux %s, load average before the run %s.\n\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.System, r.Machine.Kernel, r.Machine.LoadBefore)
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, "- %s: %s\n", name, r.Versions[name])
	}
	b.WriteString("\nConfigurations:")
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		fmt.Fprintf(&b, " %s in %s.", name, strings.Join(r.Files[name], ", "))
	}
	fmt.Fprintf(&b, "\n\n`%s`: %d rounds, %d s per load. Median (least to most); CPU is user + system time of all processes of a peer.\n", r.Command, r.Rounds, r.Seconds)
	r.goals(&b)
	fmt.Fprintf(&b, "\n![medians with their spread](%s.svg)\n", r.name())
	for _, s := range r.Scenarios {
		s.markdown(&b)
	}
	return b.String()
}

// goals is the table of figures that have one.
func (r report) goals(b *strings.Builder) {
	b.WriteString("\n| figure | value | goal | |\n|---|---|---|---|\n")
	for _, f := range r.Figures {
		switch {
		case f.Goal == nil:
		case f.Without != "":
			fmt.Fprintf(b, "| %s | %s | %g | |\n", f.Name, f.Without, *f.Goal)
		default:
			verdict := "reached"
			if f.Value > *f.Goal {
				verdict = "**missed**"
			}
			fmt.Fprintf(b, "| %s | %.*f %s | %g | %s |\n", f.Name, digitsOf(f.Value), f.Value, f.Unit, *f.Goal, verdict)
		}
	}
}

func (r scenarioResult) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n", r.Name, r.About)
	shown := r.columns()
	head, line := "|", "|---"
	for _, c := range shown {
		head += strings.TrimRight(fmt.Sprintf(" | %s %s", c.title, c.unit), " ")
		line += "|---"
	}
	fmt.Fprintf(b, "%s |\n%s|\n", head, line)
	for _, p := range r.Peers {
		fmt.Fprintf(b, "| %s", p.Peer)
		for _, c := range shown {
			cell := "-"
			if v, ok := p.Values[c.metric]; ok {
				cell = v.cell(c.digits)
			}
			fmt.Fprintf(b, " | %s", cell)
		}
		b.WriteString(" |\n")
	}
	for _, m := range r.Missing {
		fmt.Fprintf(b, "| %s | %s%s\n", m.Peer, m.Reason, strings.Repeat(" |", len(shown)))
	}
	if noise := r.noise(); noise > noiseLimit {
		fmt.Fprintf(b, "\nNOISY: other programs used %.0f %% of a core. Repeat this on a quiet machine before quoting it.\n", noise)
	}
	r.ratios(b)
}

// columns are those that any peer has values for.
func (r scenarioResult) columns() []column {
	return slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !slices.ContainsFunc(r.Peers, func(p peerSummary) bool { _, ok := p.Values[c.metric]; return ok })
	})
}

// noise is the share of a core that others took, for the peer that was disturbed most.
func (r scenarioResult) noise() float64 {
	var worst float64
	for _, p := range r.Peers {
		worst = max(worst, p.Values[othersPercent].Median, p.Values[loadOthers].Median)
	}
	return worst
}

func (r scenarioResult) ratios(b *strings.Builder) {
	if len(r.Ratios) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s, ratio in the same round | median (least to most) | by round |\n|---|---|---|\n", columnOf(r.Main).title)
	for _, p := range r.Ratios {
		var rounds []string
		for _, ratio := range p.Rounds {
			rounds = append(rounds, fmt.Sprintf("%.2f", ratio))
		}
		fmt.Fprintf(b, "| %s / %s | %s | %s |\n", p.Peer, p.To, p.Ratio.cell(2), strings.Join(rounds, ", "))
	}
}

// cell is "median (least to most)".
func (s spread) cell(digits int) string {
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}

// write puts DATE-COMMIT.json, .md and .svg into dir, and returns their names.
func (r report) write(dir string) ([]string, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	for suffix, text := range map[string]string{".json": string(text) + "\n", ".md": r.markdown(), ".svg": r.chart()} {
		name := filepath.Join(dir, r.name()+suffix)
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
