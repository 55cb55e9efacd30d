package health

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

var update = flag.Bool("update", false, "rewrite the expected lines of the stories: commit only changes that you understand")

// TestStories plays testdata/stories: a script of events in virtual time, and after each
// line the transitions that it causes. A script reads:
//
//	# prose
//	endpoints e1 e2 e3:weight=0 e4:terminating
//	passive errors=5 base=30s max=30        (or: passive off; also window=30s min=20 ratio=0.5
//	                                        slowmin=50 slowratio=0.2 latency=4 shadow=yes)
//	active fall=3 rise=2 path=/healthz interval=5s   (or: active off)
//	fails max=2 timeout=2s statuses=502,503 (or: fails off; of one endpoint: e1:fails=2/2s)
//	jitter 0.5                              (0 to 1; 0.5 adds nothing)
//	at 10s: e1 503 x5; e2 200; e1 probe fail x2; e1 timeout started=3s
//	at 11s: e1 200+reset                    (the body broke off); e1 200 x30 took=80ms
//	at 12s: e1 e2 mix 60% x20               (in turn, 60 % of them 502)
//	at 13s: pin e1 drained by=alice until=1h reason=disk; unpin e1
//	at 14s: health                          (what the upstream's status says)
//	-> e1 ejected until 40s because ...
//	at 50s: show                            (every verdict, with its age and evidence)
//
// The first four commands also work after "at T:". Transitions that time alone causes come
// first and say when.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) < 70 {
		t.Fatalf("found %d stories, want at least 70 (%v)", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := newStory(t).play(want)
			if *update {
				if err := os.WriteFile(f, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the story went differently.\n--- got\n%s\n--- want\n%s", got, want)
			}
		})
	}
}

// start is second 0 of every story.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

type story struct {
	t         *testing.T
	now       time.Time
	jitter    float64
	tracker   *Tracker
	check     gateway.EffectiveCheck
	endpoints []gateway.Endpoint
	out       bytes.Buffer
}

func newStory(t *testing.T) *story {
	s := &story{t: t, now: start, jitter: 0.5}
	s.tracker = NewTracker(gateway.UpstreamKey{Tenant: "acme", Name: "api"}, "edge-1", func() float64 { return s.jitter })
	return s
}

func (s *story) play(script []byte) []byte {
	lines := bufio.NewScanner(bytes.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "->") {
			continue
		}
		fmt.Fprintln(&s.out, line)
		rest := strings.TrimSpace(line)
		if rest == "" || rest[0] == '#' {
			continue
		}
		if at, ok := strings.CutPrefix(rest, "at "); ok {
			when, commands, _ := strings.Cut(at, ":")
			s.advance(start.Add(s.duration(when)))
			rest = commands
		}
		for command := range strings.SplitSeq(rest, ";") {
			s.do(strings.Fields(command))
		}
	}
	return s.out.Bytes()
}

// advance lets time pass, stopping at each end of an ejection.
func (s *story) advance(to time.Time) {
	if to.Before(s.now) {
		s.t.Fatalf("the story goes back in time to %s", to.Sub(start))
	}
	for next := s.tracker.Next(); !next.IsZero() && !next.After(to); next = s.tracker.Next() {
		if next.Before(s.now) {
			s.t.Fatalf("at %s the tracker wants to be advanced to %s", s.now.Sub(start), next.Sub(start))
		}
		s.now = next
		s.print(fmt.Sprintf("at %s ", next.Sub(start)), s.tracker.Advance(next))
	}
	s.now = to
}

func (s *story) do(f []string) {
	if len(f) == 0 {
		return
	}
	switch f[0] {
	case "endpoints":
		s.endpoints = nil
		for _, name := range f[1:] {
			s.endpoints = append(s.endpoints, s.endpoint(name))
		}
		s.configure()
	case "passive":
		s.check.Passive = nil
		if f[1] != "off" {
			o := s.options(f[1:])
			s.check.Passive = &gateway.PassiveCheck{ConsecutiveGatewayErrors: s.number(o["errors"]),
				BaseEjection: gateway.Duration(s.duration(o["base"])), MaxEjectedPercent: s.number(o["max"]),
				Window: gateway.Duration(s.duration(o["window"])), MinRequests: s.number(o["min"]), MaxErrorRatio: s.share(o["ratio"]),
				SlowMinRequests: s.number(o["slowmin"]), SlowMaxErrorRatio: s.share(o["slowratio"]), MaxLatencyRatio: s.share(o["latency"]),
				Shadow: o["shadow"] == "yes"}
		}
		s.configure()
	case "fails":
		s.check.Fails = nil
		if f[1] != "off" {
			o := s.options(f[1:])
			s.check.Fails = &gateway.FailCheck{Max: s.number(o["max"]), Timeout: gateway.Duration(s.duration(o["timeout"])), Statuses: strings.Split(o["statuses"], ",")}
		}
		s.configure()
	case "active":
		s.check.Active = nil
		if f[1] != "off" {
			o := s.options(f[1:])
			s.check.Active = &gateway.ActiveCheck{Fall: s.number(o["fall"]), Rise: s.number(o["rise"]),
				Path: o["path"], Initial: o["initial"], Interval: gateway.Duration(s.duration(o["interval"]))}
		}
		s.configure()
	case "jitter":
		v, err := strconv.ParseFloat(f[1], 64)
		s.must(err)
		s.jitter = v
	case "show":
		s.show()
	case "health":
		s.health()
	case "pin", "unpin":
		s.pin(f)
	default:
		s.event(f)
	}
}

func (s *story) configure() { s.print("", s.tracker.Configure(s.now, s.check, s.endpoints)) }

func (s *story) endpoint(text string) gateway.Endpoint {
	name, option, _ := strings.Cut(text, ":")
	e := gateway.Endpoint{Address: name, Weight: 1}
	switch option {
	case "":
	case "weight=0":
		e.Weight = 0
	case "terminating":
		e.Terminating = true
	default:
		limit, ok := strings.CutPrefix(option, "fails=")
		most, timeout, cut := strings.Cut(limit, "/")
		if !ok || !cut {
			s.t.Fatalf("unknown endpoint option %q", option)
		}
		e.Fails = gateway.FailLimit{Max: s.number(most), Timeout: gateway.Duration(s.duration(timeout))}
	}
	return e
}

// pin plays "pin e1 drained by=alice until=1h reason=disk" or "unpin e1".
func (s *story) pin(f []string) {
	for i := range s.endpoints {
		e := &s.endpoints[i]
		if e.Address != f[1] {
			continue
		}
		e.Pin = nil
		if f[0] == "pin" {
			o := s.options(f[3:])
			e.Pin = &gateway.EndpointPin{Name: "p", State: gateway.PinState(f[2]), By: o["by"], Since: s.now, Reason: o["reason"]}
			if o["until"] != "" {
				e.Pin.Expires = start.Add(s.duration(o["until"]))
			}
		}
	}
	s.configure()
}

// mix plays "e1 e2 mix 60% x20": 20 requests to each in turn, 60 % of them 502, evenly spread.
func (s *story) mix(f []string) bool {
	at := slices.Index(f, "mix")
	if at < 0 {
		return false
	}
	percent := s.number(strings.TrimSuffix(f[at+1], "%"))
	for i := range s.number(strings.TrimPrefix(f[at+2], "x")) {
		status := 200
		if (i+1)*percent/100 > i*percent/100 {
			status = 502
		}
		for _, e := range f[:at] {
			s.event([]string{e, strconv.Itoa(status)})
		}
	}
	return true
}

// health prints what the status of the upstream says.
func (s *story) health() {
	h := s.tracker.Health(s.now)
	fmt.Fprintf(&s.out, "-> %s; %d ejected", h.Arithmetic, h.Ejected)
	if len(h.WouldBeEjected) > 0 {
		fmt.Fprintf(&s.out, "; without shadow mode also %s", strings.Join(h.WouldBeEjected, ", "))
	}
	if h.Service.Bad {
		fmt.Fprintf(&s.out, "; service bad since %s", h.Service.Since.Sub(start))
	}
	fmt.Fprintln(&s.out)
}

// event plays "e1 503 x5", "e1 timeout started=3s", "e1 200+reset" or "e1 probe fail x2".
func (s *story) event(f []string) {
	if s.mix(f) {
		return
	}
	times, began := 1, s.now
	var words []string
	for _, w := range f[1:] {
		if took, ok := strings.CutPrefix(w, "took="); ok {
			began = s.now.Add(-s.duration(took))
			continue
		}
		if n, ok := strings.CutPrefix(w, "x"); ok {
			times = s.number(n)
		} else if at, ok := strings.CutPrefix(w, "started="); ok {
			began = start.Add(s.duration(at))
		} else {
			words = append(words, w)
		}
	}
	for range times {
		switch {
		case words[0] == "probe" && words[1] == "ok":
			s.print("", s.tracker.Probe(s.now, f[0], Result{Status: 200}))
		case words[0] == "probe" && words[1] == "fail":
			s.print("", s.tracker.Probe(s.now, f[0], Result{Err: "connection refused"}))
		default:
			o := gateway.Outcome{At: s.now, Latency: s.now.Sub(began)}
			o.Address = f[0]
			word := words[0]
			if head, cut, ok := strings.Cut(word, "+"); ok {
				o.Status, word = s.number(head), cut
			}
			if status, err := strconv.Atoi(word); err == nil {
				o.Status = status
			} else if word != "cancelled" {
				o.Failure = gateway.Failure(word)
			}
			s.print("", s.tracker.Request(s.now, o))
		}
	}
}

func (s *story) print(prefix string, changed []gateway.Verdict) {
	for _, v := range changed {
		fmt.Fprintf(&s.out, "-> %s%s because %s [%s]\n", prefix, s.state(v), v.Reason, v.Rule)
	}
	for _, e := range s.tracker.Events() {
		switch {
		case e.Shadow:
			fmt.Fprintf(&s.out, "-> %sin shadow: %s because %s [%s]\n", prefix, s.state(*e.Verdict), e.Reason, e.Rule)
		case e.Address == "":
			fmt.Fprintf(&s.out, "-> %s%s because %s [%s]\n", prefix, strings.ReplaceAll(string(e.Kind), "_", " "), e.Reason, e.Rule)
		}
	}
}

func (s *story) state(v gateway.Verdict) string {
	text := v.Address + " " + string(v.State)
	if !v.Until.IsZero() {
		text += " until " + v.Until.Sub(start).String()
	}
	return text
}

func (s *story) show() {
	for _, v := range s.tracker.Verdicts() {
		fmt.Fprintf(&s.out, "-> %s since %s, seen by %s", s.state(v), v.Since.Sub(start), v.Evidence.Observer)
		if v.Evidence.Ejections > 0 {
			fmt.Fprintf(&s.out, ", ejections %d", v.Evidence.Ejections)
		}
		if c := v.Evidence.Counts; c != nil {
			fmt.Fprintf(&s.out, ", %d of %d within %s", c.Errors, c.Requests, c.Window)
			if c.InARow > 0 {
				fmt.Fprintf(&s.out, " (%d in a row)", c.InARow)
			}
			if c.Siblings > 0 {
				fmt.Fprintf(&s.out, " beside %d siblings at %.0f%%", c.Siblings, 100*c.SiblingsMedian)
			}
		}
		for _, x := range v.Evidence.Samples {
			fmt.Fprintf(&s.out, ", %s %s", x.At.Sub(start), x.Kind)
			if x.Status != 0 {
				fmt.Fprintf(&s.out, " %d", x.Status)
			}
			if x.Error != "" {
				fmt.Fprintf(&s.out, " %s", x.Error)
			}
		}
		fmt.Fprintln(&s.out)
	}
}

func (s *story) options(words []string) map[string]string {
	o := map[string]string{}
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			s.t.Fatalf("%q is no option: write key=value", w)
		}
		o[k] = v
	}
	return o
}

func (s *story) share(text string) float64 {
	if text == "" {
		return 0
	}
	v, err := strconv.ParseFloat(text, 64)
	s.must(err)
	return v
}

func (s *story) number(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	s.must(err)
	return n
}

func (s *story) duration(text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(strings.TrimSpace(text))
	s.must(err)
	return d
}

func (s *story) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}
