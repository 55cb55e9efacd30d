package main

import (
	"fmt"
	"slices"
	"strings"
)

// turn is what one peer did in one round.
type turn struct {
	Round  int    `json:"round"`
	Peer   string `json:"peer"`
	Values values `json:"values"`
}

// String is the progress line.
func (t turn) String() string {
	text := fmt.Sprintf("%-7s", t.Peer)
	for _, c := range columns {
		if v, ok := t.Values[c.metric]; ok {
			text += fmt.Sprintf("  %s %.*f%s", c.title, c.digits, v, strings.TrimSuffix(" "+c.unit, " "))
		}
	}
	return text
}

// scenarioResult is everything about one scenario.
type scenarioResult struct {
	Name    string        `json:"name"`
	About   string        `json:"about"`
	Main    metric        `json:"main"` // what Ratios compare
	Turns   []turn        `json:"turns"`
	Peers   []peerSummary `json:"peers"`
	Ratios  []peerRatio   `json:"ratios"` // to the reference
	Missing []missing     `json:"missing,omitempty"`
}

// missing is a peer without figures, and why.
type missing struct {
	Peer   string `json:"peer"`
	Reason string `json:"reason"`
}

// peerSummary is a peer over all rounds.
type peerSummary struct {
	Peer   string            `json:"peer"`
	Values map[metric]spread `json:"values"`
}

// peerRatio compares two peers in the same rounds.
type peerRatio struct {
	Peer   string    `json:"peer"`
	To     string    `json:"to"`
	Ratio  spread    `json:"ratio"`
	Rounds []float64 `json:"rounds"` // the ratio of each round in order
}

// summarize fills in Peers and Ratios from Turns. Peers come in the order of the table. One
// that failed on the way is missing, with whatever it did before.
func (r *scenarioResult) summarize() {
	r.Turns = slices.DeleteFunc(r.Turns, func(t turn) bool { return r.missing(t.Peer) != "" })
	for _, p := range peers {
		all := r.of(p.name)
		if len(all) == 0 {
			continue
		}
		summary := peerSummary{Peer: p.name, Values: map[metric]spread{}}
		for _, c := range columns {
			var list []float64
			for _, t := range all {
				if v, ok := t.Values[c.metric]; ok {
					list = append(list, v)
				}
			}
			if len(list) > 0 {
				summary.Values[c.metric] = spreadOf(list)
			}
		}
		r.Peers = append(r.Peers, summary)
		if p.name != reference {
			if ratio, ok := r.ratio(r.Main, p.name, reference); ok {
				r.Ratios = append(r.Ratios, ratio)
			}
		}
	}
}

// of are the turns of one peer.
func (r *scenarioResult) of(peer string) (all []turn) {
	for _, t := range r.Turns {
		if t.Peer == peer {
			all = append(all, t)
		}
	}
	return all
}

// missing is why a peer has no figures; empty when it has.
func (r *scenarioResult) missing(peer string) string {
	for _, m := range r.Missing {
		if m.Peer == peer {
			return m.Reason
		}
	}
	return ""
}

// summary of a peer, or nil.
func (r *scenarioResult) summary(peer string) *peerSummary {
	for i := range r.Peers {
		if r.Peers[i].Peer == peer {
			return &r.Peers[i]
		}
	}
	return nil
}

// ratio compares turn by turn. It reports false when a peer has no turns or there is
// nothing to divide by.
func (r *scenarioResult) ratio(m metric, peer, to string) (peerRatio, bool) {
	p := peerRatio{Peer: peer, To: to}
	others := r.of(to)
	for _, t := range r.of(peer) {
		i := slices.IndexFunc(others, func(o turn) bool { return o.Round == t.Round })
		if i < 0 || others[i].Values[m] <= 0 {
			return p, false
		}
		p.Rounds = append(p.Rounds, t.Values[m]/others[i].Values[m])
	}
	if len(p.Rounds) == 0 {
		return p, false
	}
	p.Ratio = spreadOf(p.Rounds)
	return p, true
}

// figure is one number that others read: "figure http1_ratio 0.97 ratio goal 0.90".
type figure struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Goal  *float64 `json:"goal,omitempty"` // the value should not be above it
	// Without says why there is no value.
	Without string `json:"without,omitempty"`
}

func (f figure) String() string {
	if f.Without != "" {
		return fmt.Sprintf("missing %s goal %g: %s", f.Name, *f.Goal, f.Without)
	}
	text := fmt.Sprintf("figure %s %.*f %s", f.Name, digitsOf(f.Value), f.Value, f.Unit)
	if f.Goal != nil {
		text += fmt.Sprintf(" goal %.2f", *f.Goal)
	}
	return text
}

// digitsOf keeps three digits of small numbers.
func digitsOf(v float64) int {
	if v != 0 && v < 1 {
		return 3
	}
	return 2
}

// figures are what the goals of sc ask for, and the medians of all peers.
func (r *scenarioResult) figures(sc scenario) []figure {
	var all []figure
	for _, g := range sc.goals {
		all = append(all, r.figureOf(g))
	}
	for _, p := range r.Peers {
		for _, c := range columns {
			if v, ok := p.Values[c.metric]; ok && !slices.Contains(conditions, c.metric) {
				all = append(all, figure{Name: fmt.Sprintf("%s_%s_%s", r.Name, c.metric, p.Peer), Value: v.Median, Unit: unitOf(c)})
			}
		}
	}
	return all
}

func unitOf(c column) string {
	if c.unit == "" {
		return "count"
	}
	return c.unit
}

// figureOf is the figure of one goal.
func (r *scenarioResult) figureOf(g goal) figure {
	const subject = "sluice"
	f := figure{Name: g.name, Unit: "ratio", Goal: &g.limit}
	if g.over != "" {
		if ratio, ok := r.ratio(g.metric, subject, g.over); ok {
			f.Value = ratio.Ratio.Median
			return f
		}
	} else if s := r.summary(subject); s != nil {
		if v, ok := s.Values[g.metric]; ok {
			f.Value, f.Unit = v.Median, unitOf(columnOf(g.metric))
			if g.limit == 0 { // something that must never happen
				f.Value = v.Max
			}
			return f
		}
	}
	f.Without = "was not run"
	for _, name := range []string{g.over, subject} {
		if reason := r.missing(name); reason != "" {
			f.Without = name + " " + reason
		}
	}
	return f
}
