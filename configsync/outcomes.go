package configsync

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// maxOutcomes bounds the body of a batch.
const maxOutcomes = 8 << 20

// maxServerName is the longest name of a server, a wildcard or the catch-all.
const maxServerName = 300

// serveOutcomes takes in how a node's exchanges with endpoints ended.
func (c *Controller) serveOutcomes(w http.ResponseWriter, req *http.Request) {
	var in protocol.Outcomes
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxOutcomes)).Decode(&in); err != nil {
		fail(w, fmt.Errorf("read outcomes: %w: %w", gateway.ErrInvalid, err))
		return
	}
	q := req.URL.Query()
	c.mu.Lock()
	f, n, err := c.findNode(q.Get("fleet"), q.Get("node"))
	var names map[string]gateway.UpstreamKey
	if err == nil {
		err = checkOutcomes(&in)
	}
	if err == nil {
		names = f.upstreamNames()
		n.tally.add(&in)
	}
	c.mu.Unlock()
	if err != nil {
		fail(w, err)
		return
	}
	now := c.cfg.Now()
	for _, e := range in.Endpoints {
		if k, ok := names[e.Upstream]; ok { // else it is gone, or somebody's own
			c.observe(f.name, gateway.EndpointKey{Upstream: k, Address: e.Address}, e.Runs, now)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c *Controller) observe(fleet string, k gateway.EndpointKey, runs []protocol.Run, now time.Time) {
	for _, r := range runs {
		o := gateway.Outcome{EndpointKey: k, At: now, Status: r.Status, Failure: r.Failure, Latency: time.Duration(r.Seconds / float64(r.Count) * float64(time.Second))}
		for range r.Count {
			c.cfg.Observe(fleet, o)
		}
	}
}

// checkOutcomes refuses what no agent of ours says.
func checkOutcomes(in *protocol.Outcomes) error {
	total := 0
	if len(in.Endpoints) > protocol.MaxEndpoints {
		return fmt.Errorf("outcomes of %d endpoints: %w: at most %d in a batch", len(in.Endpoints), gateway.ErrInvalid, protocol.MaxEndpoints)
	}
	if len(in.Answers) > protocol.MaxServers {
		return fmt.Errorf("answers of %d servers: %w: at most %d in a batch", len(in.Answers), gateway.ErrInvalid, protocol.MaxServers)
	}
	for _, a := range in.Answers {
		if a.Count < 1 || a.Errors < 0 || a.Errors > a.Count || len(a.Server) > maxServerName {
			return fmt.Errorf("answers of %.100q: %d of them %d errors: %w: give a count from 1", a.Server, a.Count, a.Errors, gateway.ErrInvalid)
		}
	}
	known := []gateway.Failure{"", gateway.FailureConnect, gateway.FailureTimeout, gateway.FailureReset, gateway.FailureMalformed}
	for _, e := range in.Endpoints {
		if _, err := netip.ParseAddrPort(e.Address); err != nil {
			return fmt.Errorf("outcomes of %q: %w: %w", e.Address, gateway.ErrInvalid, err)
		}
		for _, r := range e.Runs {
			if r.Count < 1 || r.Count > protocol.MaxOutcomes || r.Status < 0 || r.Status > 599 || !(r.Seconds >= 0 && r.Seconds <= 1e9) || !slices.Contains(known, r.Failure) {
				return fmt.Errorf("outcomes of %s: %+v: %w: give a status or a failure, and a count from 1", e.Address, r, gateway.ErrInvalid)
			}
			total += r.Count
		}
	}
	if total > protocol.MaxOutcomes {
		return fmt.Errorf("%d outcomes: %w: at most %d in a batch", total, gateway.ErrInvalid, protocol.MaxOutcomes)
	}
	return nil
}

// upstreamNames are the upstreams of the fleet's tenants by their names in nginx. The caller
// holds mu.
func (f *fleetState) upstreamNames() map[string]gateway.UpstreamKey {
	if f.named == f.seen {
		return f.names
	}
	tenants := map[string]bool{}
	for _, t := range f.seen.Tenants {
		tenants[t.Name] = slices.Contains(t.Spec.Fleets, f.name)
	}
	f.named, f.names = f.seen, map[string]gateway.UpstreamKey{}
	for _, u := range f.seen.Upstreams {
		if tenants[u.Key.Tenant] {
			f.names[nginxconf.UpstreamName(u.Key)] = u.Key
		}
	}
	return f.names
}
