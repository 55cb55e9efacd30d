package slardar

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// status serves the status page of one tenant: of its TCP ports, or of all other upstreams. It
// needs no store: without one, upstreams stand under the names of their objects.
func (h *handler) status(streams bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h.page(w, r, streams) }
}

func (h *handler) page(w http.ResponseWriter, r *http.Request, streams bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, "GET")
		return
	}
	tenant, err := h.tenant(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	snap := h.Snapshot()
	o := Observed{
		Objects: map[string]*gateway.Upstream{}, Heartbeats: map[string][]gateway.Heartbeat{},
		Version: h.Version, StartedAt: h.StartedAt, ConfigVersion: h.ConfigVersion(), Digest: snap.Digest, Now: time.Now(),
	}
	ofPort := portUpstreams(snap)
	for _, u := range snap.Upstreams {
		if u.Key.Tenant == tenant && ofPort[u.Key] == streams {
			o.Upstreams = append(o.Upstreams, u)
			o.Heartbeats[u.Key.Name] = h.Heartbeats(u.Key)
		}
	}
	objects, err := h.List(r.Context(), gateway.KindUpstream, tenant)
	if err != nil {
		h.Log.Warn("slardar: the status page does without the names of upstreams", "tenant", tenant, "error", err)
	}
	for _, obj := range objects {
		if u, ok := obj.(*gateway.Upstream); ok {
			o.Objects[u.Name] = u
		}
	}
	w.Header().Set("Content-Type", "application/json")
	// The status is out; a caller that has gone away cannot be told more.
	_ = json.NewEncoder(w).Encode(Status(o))
}
