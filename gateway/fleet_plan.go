package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Wave is how many nodes of a fleet run a change: a count, or a percentage. It is written as
// 3 or as "10%".
type Wave struct {
	Count, Percent int // one of them is set
}

// String is "3" or "10%".
func (w Wave) String() string {
	if w.Percent > 0 {
		return strconv.Itoa(w.Percent) + "%"
	}
	return strconv.Itoa(w.Count)
}

// Of is how many of so many nodes that are: at least one.
func (w Wave) Of(nodes int) int {
	n := w.Count
	if w.Percent > 0 {
		n = (nodes*w.Percent + 99) / 100
	}
	return min(max(n, 1), nodes)
}

// MarshalText implements encoding.TextMarshaler.
func (w Wave) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Wave) UnmarshalText(b []byte) error {
	text, percent := strings.CutSuffix(string(b), "%")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || percent && n > 100 || n > maxWave {
		return fmt.Errorf("%q is not a wave: write a number of nodes such as 1, or a percentage of them from 1%% to 100%%", b)
	}
	if *w = (Wave{Count: n}); percent {
		*w = Wave{Percent: n}
	}
	return nil
}

// UnmarshalJSON implements json.Unmarshaler, for numbers without quotes.
func (w *Wave) UnmarshalJSON(b []byte) error {
	if !bytes.HasPrefix(b, []byte{'"'}) {
		return w.UnmarshalText(b)
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	return w.UnmarshalText([]byte(text))
}

// maxWave is more nodes than a fleet has.
const maxWave = 1_000_000

// Gates are how much worse nodes with a change may be than those without it.
type Gates struct {
	// MaxErrorRatioDelta is by how much the share of 5xx answers to clients may be higher, of
	// all requests and of those for each host. 0 to 1. Default 0.05; 1 switches it off.
	MaxErrorRatioDelta float64 `json:"maxErrorRatioDelta,omitempty"`
	// MaxConnectErrorDelta is the same for attempts to connect to an endpoint. Default 0.05.
	MaxConnectErrorDelta float64 `json:"maxConnectErrorDelta,omitempty"`
	// MinRequests is how many requests it takes to judge. Default 50.
	MinRequests int `json:"minRequests,omitempty"`
}

// RolloutPlan is how changes reach the nodes of a fleet, with every default filled in.
type RolloutPlan struct {
	AtOnce bool // on all nodes, without waves
	Waves  []Wave
	Bake   Duration
	Gates  Gates
	Drain  Duration
}

// The defaults of a fleet that gets changes by waves.
const (
	DefaultBake                 = Duration(30e9)
	DefaultMaxErrorRatioDelta   = 0.05
	DefaultMaxConnectErrorDelta = 0.05
	DefaultMinRequests          = 50
)

// DefaultWaves are those of a fleet that says something about rollouts, but not its waves.
var DefaultWaves = []Wave{{Count: 1}, {Percent: 10}, {Percent: 100}}

// Plan fills in the defaults. What is not possible, for which Build has a problem, is as if it
// were not written.
func (s *FleetSpec) Plan() RolloutPlan {
	if s.Waves == nil && s.Bake == nil && s.Gates == (Gates{}) && s.Drain == 0 {
		return RolloutPlan{AtOnce: true, Waves: []Wave{{Percent: 100}}}
	}
	p := RolloutPlan{Waves: s.Waves, Bake: DefaultBake, Gates: s.Gates, Drain: min(s.Drain, maxDrain)}
	if len(p.Waves) == 0 || wavesProblem(p.Waves) != "" {
		p.Waves = DefaultWaves
	}
	if s.Bake != nil {
		p.Bake = min(*s.Bake, maxBake)
	}
	if g := &p.Gates; g.MaxErrorRatioDelta <= 0 || g.MaxErrorRatioDelta > 1 {
		g.MaxErrorRatioDelta = DefaultMaxErrorRatioDelta
	}
	if g := &p.Gates; g.MaxConnectErrorDelta <= 0 || g.MaxConnectErrorDelta > 1 {
		g.MaxConnectErrorDelta = DefaultMaxConnectErrorDelta
	}
	if p.Gates.MinRequests <= 0 {
		p.Gates.MinRequests = DefaultMinRequests
	}
	return p
}

// wavesProblem says what is wrong with waves.
func wavesProblem(waves []Wave) string {
	for i, w := range waves[:max(0, len(waves)-1)] {
		next := waves[i+1]
		switch {
		case w.Percent > 0 && next.Count > 0:
			return fmt.Sprintf("%s comes after %s, and which is more depends on the fleet: write counts before percentages", next, w)
		case next.Count > 0 && next.Count <= w.Count, next.Percent > 0 && next.Percent <= w.Percent:
			return fmt.Sprintf("%s comes after %s, but each wave has to be larger than the one before", next, w)
		}
	}
	if n := len(waves); n > 0 && waves[n-1].Percent != 100 {
		return fmt.Sprintf("the last wave is %s, so some nodes would never get a change: end with 100%%", waves[n-1])
	}
	return ""
}

// checkFleet reports what is not possible of the way in which changes reach a fleet.
func (b *builder) checkFleet(f *Fleet) {
	if p := wavesProblem(f.Spec.Waves); p != "" {
		b.report(Problem{Object: f.Ref(), Field: "spec.waves", Code: "waves_invalid", Message: "These waves can not be used, so 1, 10% and 100% are in force: " + p + "."})
	}
	if e := f.Spec.Endpoints; e != "" && e != "auto" && e != "static" {
		b.report(Problem{Object: f.Ref(), Field: "spec.endpoints", Code: "endpoints_invalid",
			Message: "Endpoints " + quote(e) + " is not known, so it counts as auto: write auto or static."})
	}
	b.checkFleetSpans(f)
	g := f.Spec.Gates
	for _, gate := range []struct {
		field string
		bad   bool
		force any
	}{
		{"maxErrorRatioDelta: write a share from 0 to 1", g.MaxErrorRatioDelta < 0 || g.MaxErrorRatioDelta > 1, DefaultMaxErrorRatioDelta},
		{"maxConnectErrorDelta: write a share from 0 to 1", g.MaxConnectErrorDelta < 0 || g.MaxConnectErrorDelta > 1, DefaultMaxConnectErrorDelta},
		{"minRequests: write a number from 1", g.MinRequests < 0, DefaultMinRequests},
	} {
		if field, advice, _ := strings.Cut(gate.field, ": "); gate.bad {
			b.report(Problem{Object: f.Ref(), Field: "spec.gates." + field, Code: "gate_invalid",
				Message: fmt.Sprintf("This gate can not be used, so %v is in force: %s.", gate.force, advice)})
		}
	}
}
