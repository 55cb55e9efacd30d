package main

import (
	"fmt"
	"slices"
)

// turn is what one peer did in one round.
type turn struct {
	Round             int     `json:"round"`
	Peer              string  `json:"peer"`
	Requests          int64   `json:"requests"`
	Seconds           float64 `json:"seconds"`
	CPUMicros         float64 `json:"cpuMicrosPerRequest"` // user and system, all processes of the peer
	RequestsPerSecond float64 `json:"requestsPerSecond"`
	P50Micros         float64 `json:"p50Micros"`
	P99Micros         float64 `json:"p99Micros"`
	// CorePercent is how much of its core the peer used, OthersPercent what everything else
	// on the machine used of the same core: the noise.
	CorePercent   float64 `json:"corePercent"`
	OthersPercent float64 `json:"othersPercent"`
}

// String is the progress line.
func (t turn) String() string {
	return fmt.Sprintf("%-7s %6.2f us CPU/request  %6.0f requests/s  p50 %.0f us  p99 %.0f us  core %.0f%%, others %.0f%%",
		t.Peer, t.CPUMicros, t.RequestsPerSecond, t.P50Micros, t.P99Micros, t.CorePercent, t.OthersPercent)
}

// scenarioResult is everything about one scenario.
type scenarioResult struct {
	Name   string        `json:"name"`
	About  string        `json:"about"`
	Goal   float64       `json:"goal"` // for the ratio of sluice
	Turns  []turn        `json:"turns"`
	Peers  []peerSummary `json:"peers"`
	Ratios []peerRatio   `json:"ratios"`
}

// peerSummary is a peer over all rounds.
type peerSummary struct {
	Peer              string `json:"peer"`
	CPUMicros         spread `json:"cpuMicrosPerRequest"`
	RequestsPerSecond spread `json:"requestsPerSecond"`
	P50Micros         spread `json:"p50Micros"`
	P99Micros         spread `json:"p99Micros"`
	CorePercent       spread `json:"corePercent"`
	OthersPercent     spread `json:"othersPercent"`
}

// peerRatio compares CPU time per request with the reference in the same round.
type peerRatio struct {
	Peer  string `json:"peer"`
	To    string `json:"to"`
	Ratio spread `json:"ratio"`
	// Rounds are the ratios of each round in order.
	Rounds []float64 `json:"rounds"`
}

// summarize fills in Peers and Ratios from Turns. Peers come in the order of their first
// turn, the reference first.
func (r *scenarioResult) summarize() {
	turns := map[string][]turn{}
	var names []string
	for _, t := range r.Turns {
		if turns[t.Peer] == nil {
			names = append(names, t.Peer)
		}
		turns[t.Peer] = append(turns[t.Peer], t)
	}
	for _, name := range names {
		of := func(value func(turn) float64) spread {
			var values []float64
			for _, t := range turns[name] {
				values = append(values, value(t))
			}
			return spreadOf(values)
		}
		r.Peers = append(r.Peers, peerSummary{
			Peer:              name,
			CPUMicros:         of(func(t turn) float64 { return t.CPUMicros }),
			RequestsPerSecond: of(func(t turn) float64 { return t.RequestsPerSecond }),
			P50Micros:         of(func(t turn) float64 { return t.P50Micros }),
			P99Micros:         of(func(t turn) float64 { return t.P99Micros }),
			CorePercent:       of(func(t turn) float64 { return t.CorePercent }),
			OthersPercent:     of(func(t turn) float64 { return t.OthersPercent }),
		})
		if name != reference {
			r.Ratios = append(r.Ratios, ratioOf(name, turns[name], turns[reference]))
		}
	}
}

// ratioOf compares turn by turn; both have one turn for each round.
func ratioOf(name string, turns, to []turn) peerRatio {
	p := peerRatio{Peer: name, To: reference}
	for _, t := range turns {
		i := slices.IndexFunc(to, func(o turn) bool { return o.Round == t.Round })
		p.Rounds = append(p.Rounds, t.CPUMicros/to[i].CPUMicros)
	}
	p.Ratio = spreadOf(p.Rounds)
	return p
}

// figure is one number that others read: "figure http1_cpu_ratio 0.97 ratio goal 1.10".
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  float64 `json:"goal,omitempty"` // the value should not be above it; 0 is no goal
}

func (f figure) String() string {
	text := fmt.Sprintf("figure %s %.2f %s", f.Name, f.Value, f.Unit)
	if f.Goal != 0 {
		text += fmt.Sprintf(" goal %.2f", f.Goal)
	}
	return text
}

// figures are the medians of the scenario.
func (r scenarioResult) figures() []figure {
	var all []figure
	for _, p := range r.Ratios {
		f := figure{Name: r.Name + "_cpu_ratio_" + p.Peer, Value: p.Ratio.Median, Unit: "ratio"}
		if p.Peer == "sluice" {
			f.Name, f.Goal = r.Name+"_cpu_ratio", r.Goal
		}
		all = append(all, f)
	}
	for _, p := range r.Peers {
		all = append(all,
			figure{Name: r.Name + "_cpu_" + p.Peer, Value: p.CPUMicros.Median, Unit: "us/request"},
			figure{Name: r.Name + "_rate_" + p.Peer, Value: p.RequestsPerSecond.Median, Unit: "requests/s"},
			figure{Name: r.Name + "_p50_" + p.Peer, Value: p.P50Micros.Median, Unit: "us"},
			figure{Name: r.Name + "_p99_" + p.Peer, Value: p.P99Micros.Median, Unit: "us"})
	}
	return all
}
