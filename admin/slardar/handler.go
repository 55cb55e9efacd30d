package slardar

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// Prefix is where the contract is served. Slardar has its paths at the root of a port of its
// own.
const Prefix = "/compat/slardar/"

// Parts are what the process brings besides the admin API.
type Parts struct {
	// Tenant owns the upstreams of requests that do not say ?tenant=. It may be empty: then
	// each request has to.
	Tenant string
	// Heartbeats lists the newest probes of an upstream.
	Heartbeats func(gateway.UpstreamKey) []gateway.Heartbeat
	// Observe takes the outcome that feedback tells.
	Observe func(gateway.Outcome)
	// ConfigVersion counts the changes of the configuration that this process has taken in.
	ConfigVersion func() int64
}

// Config connects the contract with the admin API.
type Config struct {
	Parts
	// Get and List read objects.
	Get  func(ctx context.Context, ref gateway.Ref) (gateway.Object, error)
	List func(ctx context.Context, kind gateway.Kind, tenant string) ([]gateway.Object, error)
	// Write makes changes as the admin API does, or finds out what they would do. Accept is
	// called in between with the problems that they bring, and may refuse them.
	Write    func(ctx context.Context, changes []gateway.Change, dryRun bool, accept func(added []gateway.Problem) error) error
	Snapshot func() *gateway.Snapshot
	// Explain gives the status and the words for an error.
	Explain func(error) (status int, message string)
	// Caller names who the request comes from.
	Caller func(context.Context) string

	Version   string
	StartedAt time.Time
	Log       *slog.Logger
}

// handler serves the contract.
type handler struct{ Config }

// New returns the handler for [Prefix]. It does not ask who is calling: that is done before.
func New(cfg Config) http.Handler {
	h := &handler{cfg}
	mux := http.NewServeMux()
	mux.HandleFunc(Prefix+"status", h.status(false))
	mux.HandleFunc(Prefix+"stream/status", h.status(true))
	mux.HandleFunc(Prefix+"upstream/{name}", h.upstream)
	mux.HandleFunc(Prefix+"stream/upstream/{name}", h.upstreamOfPort)
	mux.HandleFunc(Prefix+"feedback/{name}", h.feedback)
	mux.HandleFunc(Prefix+"lua", noLua)
	mux.HandleFunc(Prefix+"lua/", noLua)
	mux.HandleFunc(Prefix, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, reply{Status: http.StatusBadRequest, Msg: "no such path: there are status, upstream/NAME, feedback/NAME, stream/status and stream/upstream/PORT, with a NAME of letters, digits, '-', '_' and '.'"})
	})
	return mux
}

// reply is the body of every answer but the status page.
type reply struct {
	Status int    `json:"status"`
	Msg    string `json:"msg,omitempty"`
	// Notes say what was done differently from Slardar. It has no such key.
	Notes []string `json:"notes,omitempty"`
	// DryRun says that nothing was written. It has no such key.
	DryRun bool `json:"dryRun,omitempty"`
}

func answer(w http.ResponseWriter, r reply) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.Status)
	// The status is out; a caller that has gone away cannot be told more.
	_ = json.NewEncoder(w).Encode(r)
}

// fail answers with an error.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var known *refusal
	if errors.As(err, &known) {
		answer(w, reply{Status: known.status, Msg: err.Error()})
		return
	}
	status, message := h.Explain(err)
	if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable {
		h.Log.Error("slardar: a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	answer(w, reply{Status: status, Msg: message})
}

// refusal is an error with a status of its own.
type refusal struct {
	status int
	err    error
}

// Error says what is wrong.
func (e *refusal) Error() string { return e.err.Error() }

// bad is a request that Slardar would answer 400.
func bad(err error) error { return &refusal{http.StatusBadRequest, err} }

// tenant is whose upstreams a request is about.
func (h *handler) tenant(r *http.Request) (string, error) {
	if t := r.URL.Query().Get("tenant"); t != "" {
		return t, nil
	}
	if h.Tenant == "" {
		return "", bad(errors.New("whose upstream? Say ?tenant=NAME, or set admin.slardar.tenant in sluice.yaml"))
	}
	return h.Tenant, nil
}

// target is the tenant and the upstream that a request names.
func (h *handler) target(r *http.Request) (tenant, key string, err error) {
	key = r.PathValue("name")
	if !validKey.MatchString(key) {
		return "", "", bad(errors.New("the name of an upstream has letters, digits, '-', '_' and '.'"))
	}
	tenant, err = h.tenant(r)
	return tenant, key, err
}

// body reads what was sent.
func body(r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(r.Body)
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return nil, bad(errors.New("body too big"))
	}
	return b, err
}

func notAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	answer(w, reply{Status: http.StatusMethodNotAllowed, Msg: "method not allowed"})
}

func noLua(w http.ResponseWriter, _ *http.Request) {
	answer(w, reply{Status: http.StatusNotImplemented, Msg: "Lua scripts are not run here: use routes and their filters"})
}
