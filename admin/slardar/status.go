package slardar

import (
	"cmp"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// The states of a server.
const (
	ok        = "ok"        // gets requests
	unstable  = "unstable"  // fails, and gets requests because nothing better is left
	failed    = "err"       // gets none
	unchecked = "unchecked" // is not probed
)

// stall is how long no probe may end before the checker counts as dead, unless probes are
// farther apart.
const stall = 60 * time.Second

// Observed is what the status page is made of.
type Observed struct {
	// Upstreams of one tenant, with the objects that they come from; an upstream whose object
	// is not there is shown under its own name.
	Upstreams []*gateway.EffectiveUpstream
	Objects   map[string]*gateway.Upstream // by name
	// Heartbeats by the name of the upstream.
	Heartbeats map[string][]gateway.Heartbeat

	Version       string // of the program
	StartedAt     time.Time
	ConfigVersion int64
	Digest        string // of the configuration
	Now           time.Time
}

// peer is one server on the status page.
type peer struct {
	Server       string   `json:"server"`
	Status       string   `json:"status"`
	Weight       int      `json:"weight"`
	MaxFails     *int     `json:"max_fails,omitempty"`
	FailTimeout  *float64 `json:"fail_timeout,omitempty"`
	FailNum      *int     `json:"fail_num,omitempty"`     // failed probes in a row
	LastModified string   `json:"lastmodified,omitempty"` // when the state was entered
	Msg          *string  `json:"msg"`                    // why it is not well; null
}

// Status is the status page as Slardar has it, ready for JSON: one key for each upstream,
// "cls:NAME", beside those of the process. It is pure.
func Status(o Observed) map[string]any {
	page := map[string]any{
		"last_check_time": nil, "checkup_timer_alive": true,
		"start_time": local(o.StartedAt), "conf_hash": o.Digest, "shd_config_version": o.ConfigVersion, "slardar_version": "sluice/" + o.Version,
	}
	var newest, since time.Time
	var pace time.Duration
	checked := false
	for _, u := range o.Upstreams {
		v := view{u: u, key: u.Key.Name, beats: map[string]gateway.Heartbeat{}}
		if obj := o.Objects[u.Key.Name]; obj != nil {
			v.key, v.named, v.written = keyOf(&obj.Meta), obj.Labels[LabelLevels] == named, obj.Spec.Endpoints
		}
		for _, b := range o.Heartbeats[u.Key.Name] {
			v.beats[b.Address] = b
			newest = later(newest, b.At)
		}
		page["cls:"+v.key] = v.levels()
		if a := u.Health.Active; a != nil && len(u.Endpoints) > 0 {
			checked = true
			pace = max(pace, a.Interval.Std())
			if obj := o.Objects[u.Key.Name]; obj != nil && v.waits() { // a checker that has just got something to do is not dead
				since = later(since, obj.UpdatedAt)
			}
		}
	}
	if !newest.IsZero() {
		page["last_check_time"] = local(newest)
	}
	if checked {
		page["checkup_timer_alive"] = o.Now.Sub(later(later(newest, since), o.StartedAt)) <= max(stall, 2*pace)
	}
	return page
}

// view is one upstream on the page.
type view struct {
	u     *gateway.EffectiveUpstream
	key   string
	named bool // its levels have names, which are the zones of its endpoints
	beats map[string]gateway.Heartbeat
	// written are the servers in the order of whoever wrote them, which the page keeps.
	written []gateway.ManualEndpoint
}

// levels are a list by priority, or an object by name.
func (v *view) levels() any {
	byPriority := map[int][]peer{}
	byName := map[string][]peer{}
	var order []int
	for _, e := range v.inOrder() {
		p := v.peer(e)
		byName[e.Zone] = append(byName[e.Zone], p)
		if byPriority[e.Priority] == nil {
			order = append(order, e.Priority)
		}
		byPriority[e.Priority] = append(byPriority[e.Priority], p)
	}
	if v.named {
		return byName
	}
	slices.Sort(order)
	list := make([][]peer, 0, len(order))
	for _, n := range order {
		list = append(list, byPriority[n])
	}
	return list
}

// inOrder lists the endpoints as they were written, and then those that sources have found.
func (v *view) inOrder() []*gateway.Endpoint {
	place := map[string]int{}
	for i, e := range v.written {
		if address, err := gateway.NormalAddress(e.Address); err == nil {
			place[address] = i - len(v.written)
		}
	}
	list := make([]*gateway.Endpoint, len(v.u.Endpoints))
	for i := range v.u.Endpoints {
		list[i] = &v.u.Endpoints[i]
	}
	slices.SortStableFunc(list, func(a, b *gateway.Endpoint) int { return cmp.Compare(place[a.Address], place[b.Address]) })
	return list
}

func (v *view) peer(e *gateway.Endpoint) peer {
	p := peer{Server: v.key + ":" + e.Address, Status: v.status(e), Weight: e.Weight}
	if limit := limitOf(v.u, e); limit != (gateway.FailLimit{}) {
		secs := limit.Timeout.Std().Seconds()
		p.MaxFails, p.FailTimeout = &limit.Max, &secs
	}
	if !e.Verdict.Since.IsZero() {
		p.LastModified = local(e.Verdict.Since)
	}
	beat, probed := v.beats[e.Address]
	if probed {
		p.FailNum = &beat.Failures
	}
	if msg := cmp.Or(beat.Error, trouble(e)); msg != "" {
		p.Msg = &msg
	}
	return p
}

// limitOf is what max_fails and fail_timeout of a server amount to; zero: nothing is counted.
func limitOf(u *gateway.EffectiveUpstream, e *gateway.Endpoint) gateway.FailLimit {
	f, p := u.Health.Fails, u.Health.Passive
	switch {
	case e.Fails != gateway.FailLimit{}:
		return e.Fails
	case f != nil && f.Max > 0:
		return gateway.FailLimit{Max: f.Max, Timeout: f.Timeout}
	case p != nil:
		return gateway.FailLimit{Max: p.ConsecutiveGatewayErrors, Timeout: p.BaseEjection}
	}
	return gateway.FailLimit{}
}

func (v *view) status(e *gateway.Endpoint) string {
	switch {
	case v.u.Health.Active == nil:
		return unchecked
	case well(e.Verdict.State):
		return ok
	case e.InRotation:
		return unstable
	}
	return failed
}

// well says whether health has nothing against the endpoint.
func well(s gateway.HealthState) bool {
	return s == "" || s == gateway.StateUnknown || s == gateway.StateHealthy || s == gateway.StateProbation
}

// trouble is why the endpoint is not well.
func trouble(e *gateway.Endpoint) string {
	if well(e.Verdict.State) {
		return ""
	}
	return e.Verdict.Reason
}

// waits says whether an endpoint has not been probed yet.
func (v *view) waits() bool {
	return slices.ContainsFunc(v.u.Endpoints, func(e gateway.Endpoint) bool { _, probed := v.beats[e.Address]; return !probed })
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// local is a time as Slardar writes it: that of the machine, without its zone.
func local(t time.Time) string { return t.Local().Format(time.DateTime) }
