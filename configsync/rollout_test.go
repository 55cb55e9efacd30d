package configsync

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "write the expected lines of testdata/rollout anew")

// TestRollouts plays the situations of testdata/rollout. A line is something that happens;
// those after it that begin with ">" are what is decided then. Time is passed in.
func TestRollouts(t *testing.T) {
	files, err := filepath.Glob("testdata/rollout/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d situations, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newStage(t).play(string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(text) {
				t.Errorf("got:\n%s\nwant:\n%s", got, text)
			}
		})
	}
}

// stage is a fleet whose nodes do what the script says.
type stage struct {
	t         *testing.T
	rec       *rolloutRecord
	begin     time.Time
	now       time.Time
	listening time.Time
	plan      gateway.RolloutPlan
	want      string // what people want
	nodes     map[string]*actor
	worse     string // what the gates say
	last      string
}

// actor is one node.
type actor struct {
	runs          string // the content that it runs
	silent, down  bool
	slow, unheard bool
	refuses       string
}

func newStage(t *testing.T) *stage {
	begin := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	return &stage{t: t, rec: &rolloutRecord{}, begin: begin, now: begin, listening: begin, nodes: map[string]*actor{},
		plan: gateway.RolloutPlan{Waves: gateway.DefaultWaves, Bake: gateway.DefaultBake}}
}

func (s *stage) play(script string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for _, said := range s.do(strings.Fields(line)) {
			out.WriteString("> " + said + "\n")
		}
	}
	return out.String()
}

func (s *stage) do(words []string) []string {
	each := func(f func(*actor)) {
		for _, name := range words[1:] {
			if s.nodes[name] == nil {
				s.nodes[name] = &actor{}
			}
			f(s.nodes[name])
		}
	}
	switch words[0] {
	case "waves":
		s.plan.Waves, s.plan.AtOnce = nil, false
		for _, text := range words[1:] {
			var w gateway.Wave
			if err := w.UnmarshalText([]byte(text)); err != nil {
				s.t.Fatal(err)
			}
			s.plan.Waves = append(s.plan.Waves, w)
		}
	case "at-once":
		s.plan = gateway.RolloutPlan{AtOnce: true, Waves: []gateway.Wave{{Percent: 100}}}
	case "nodes":
		each(func(*actor) {})
	case "silent":
		each(func(a *actor) { a.silent = true })
	case "heard":
		each(func(a *actor) { a.silent, a.unheard = false, false })
	case "down":
		each(func(a *actor) { a.down = true })
	case "slow":
		each(func(a *actor) { a.slow = true })
	case "quick":
		each(func(a *actor) { a.slow = false })
	case "forget":
		for _, name := range words[1:] {
			delete(s.nodes, name)
		}
	case "refuse":
		s.nodes[words[1]].refuses = words[2]
	case "want":
		s.want = words[1]
	case "worse":
		s.worse = strings.Join(words[1:], " ")
	case "restart":
		s.listening = s.now
		for _, a := range s.nodes {
			a.unheard = true
		}
	case "pause", "resume", "abort", "promote":
		if err := s.rec.act(gateway.RolloutAction(words[0]), "alice", s.now); err != nil {
			return []string{err.Error()}
		}
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			s.t.Fatal(err)
		}
		return s.pass(d)
	default:
		s.t.Fatalf("what is %q?", words)
	}
	return s.look()
}

// pass lets time pass, a second at a time.
func (s *stage) pass(d time.Duration) (said []string) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(time.Second)
		said = append(said, s.look()...)
	}
	return said
}

// look steps the record, and then lets the nodes do what they are told.
func (s *stage) look() []string {
	if s.want == "" {
		return nil
	}
	s.rec = s.rec.clone() // as it comes back from the store
	s.rec.step(s.view(), s.now)
	for name, a := range s.nodes {
		if told := s.content(s.rec.assigned(name)); !a.silent && !a.slow && !a.down && told != a.refuses {
			a.runs = told
		}
	}
	text := s.tell()
	if text == s.last {
		return nil
	}
	s.last = text
	return []string{fmt.Sprintf("%ds %s", int(s.now.Sub(s.begin).Seconds()), text)}
}

// content is what a revision brings.
func (s *stage) content(number uint64) string {
	for _, rev := range []*gateway.Revision{&s.rec.Base, s.rec.Target} {
		if rev != nil && rev.Content() == number {
			return rev.Shapes["k"]
		}
	}
	return "superseded-" + strconv.FormatUint(number, 10)
}

func (s *stage) view() *rolloutView {
	v := &rolloutView{fleet: "f", plan: s.plan, reload: time.Second, listening: s.listening, nodes: map[string]nodeView{},
		newest: gateway.Revision{Shapes: map[string]string{"k": s.want}}, complete: func(*gateway.Revision) {}}
	for name, a := range s.nodes {
		n := nodeView{heard: !a.silent && !a.unheard, wait: a.unheard && s.now.Sub(s.listening) <= silentAfter}
		n.Up, n.Revision = !a.down, s.rec.assigned(name)
		told := s.content(n.Revision)
		n.Runs = a.runs == told
		if a.refuses == told {
			n.Refused = "step check failed: no"
		}
		v.nodes[name] = n
	}
	v.is = func(rev *gateway.Revision) bool { return sameShapes(rev, &v.newest) }
	v.judge = func() (*gateway.RolloutFigures, string) { return &gateway.RolloutFigures{}, s.worse }
	return v
}

// tell says what was decided.
func (s *stage) tell() string {
	r := s.rec
	text := fmt.Sprintf("base %d=%s", r.Base.Number, r.Base.Shapes["k"])
	if r.Base.Back != 0 {
		text += fmt.Sprintf(" (back to %d)", r.Base.Back)
	}
	if len(r.Nodes) > 0 {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(r.Nodes)) {
			list = append(list, fmt.Sprintf("%s=%d", name, r.Nodes[name]))
		}
		text += ", nodes " + strings.Join(list, " ")
	}
	ro := r.Rollout
	if ro == nil {
		return text
	}
	text += fmt.Sprintf("; rollout of %d: %s", ro.Revision, ro.State)
	if ro.State.Active() {
		text += fmt.Sprintf(" wave %d of %d", ro.Wave, len(ro.Waves))
	}
	if ro.Paused {
		text += ", paused"
	}
	if len(ro.LeftOut) > 0 {
		text += ", without " + strings.Join(ro.LeftOut, " ")
	}
	if ro.Reason != "" {
		text += ": " + ro.Reason
	}
	return text
}

// Only the last 50 rollouts are remembered, and only some names of their nodes.
func TestHistory(t *testing.T) {
	s := newStage(t)
	words := []string{"nodes"}
	for i := range 30 {
		words = append(words, fmt.Sprintf("n%02d", i))
	}
	s.do(words)
	s.do([]string{"waves", "100%"})
	for i := range 60 {
		s.do([]string{"want", fmt.Sprint(i)})
		s.pass(time.Minute)
	}
	if n := len(s.rec.History); n != keepRollouts {
		t.Fatalf("%d rollouts are remembered", n)
	}
	newest, oldest := s.rec.History[0], s.rec.History[keepRollouts-1]
	if newest.Revision != 60 || oldest.Revision != 11 || newest.State != gateway.RolloutDone {
		t.Errorf("from %d to %d, %s", oldest.Revision, newest.Revision, newest.State)
	}
	if w := newest.Waves[0]; len(w.Nodes) != keepNames || w.Count != 30 || !w.PassedAt.Equal(newest.EndedAt) {
		t.Errorf("%+v", w)
	}
}
