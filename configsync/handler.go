package configsync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/configsync/protocol"
	"github.com/sluice-gateway/sluice/gateway"
)

// The largest bodies that an agent may send.
const (
	maxReport = 8 << 20
	maxTree   = 64 << 20
	// maxNodes bounds what a fleet keeps in memory, and maxTrees the uploaded trees of all.
	maxNodes = 2000
	maxTrees = 512 << 20
)

// Handler serves agents below /agent/v1/; see package protocol. The caller has checked that
// the request comes from an agent.
func (c *Controller) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+protocol.PathSync, c.serveSync)
	mux.HandleFunc("GET "+protocol.PathBundle, c.serveBundle)
	mux.HandleFunc("PUT "+protocol.PathTree, c.serveTree)
	mux.HandleFunc("POST "+protocol.PathOutcomes, c.serveOutcomes)
	return mux
}

func (c *Controller) serveSync(w http.ResponseWriter, req *http.Request) {
	var in protocol.SyncRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxReport)).Decode(&in); err != nil {
		fail(w, fmt.Errorf("read the report: %w: %w", gateway.ErrInvalid, err))
		return
	}
	out, err := c.sync(req.Context(), in)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, out)
}

// sync takes the report in and waits for something new to say.
func (c *Controller) sync(ctx context.Context, in protocol.SyncRequest) (protocol.SyncResponse, error) {
	if err := validNode(in.Report.Node); err != nil {
		return protocol.SyncResponse{}, err
	}
	out, changed, err := c.takeReport(in.Report)
	if err != nil || out.Desired != in.Have || out.UploadTree || in.Wait <= 0 {
		return out, err
	}
	timer := time.NewTimer(min(in.Wait.Std(), protocol.MaxWait))
	defer timer.Stop()
	// The agent is gone; the controller closes; time is up; the bundle changed.
	select {
	case <-ctx.Done():
		return out, nil
	case <-c.closed:
	case <-timer.C:
	case <-changed:
	}
	return c.desired(in.Report)
}

// takeReport stores a report and says what is desired until changed is closed.
func (c *Controller) takeReport(report gateway.NodeReport) (protocol.SyncResponse, <-chan struct{}, error) {
	c.mu.Lock()
	f, err := c.find(report.Fleet)
	if err == nil {
		err = c.known(f)
	}
	if err != nil {
		c.mu.Unlock()
		return protocol.SyncResponse{}, nil, err
	}
	if err := f.makeRoom(report.Node, c.cfg.Now()); err != nil {
		c.mu.Unlock()
		return protocol.SyncResponse{}, nil, err
	}
	r, upload := c.update(f, report)
	out := protocol.SyncResponse{Desired: r.tree.Digest, ReloadEvery: f.reloadEvery, UploadTree: upload}
	out.Drain = f.drainOf(f.nodes[report.Node])
	changed, moved := r.changed, c.endMoves()
	c.mu.Unlock()
	if c.nudge(); moved {
		c.Refresh()
	}
	c.cfg.Changed(report.Fleet)
	c.publish()
	return out, changed, nil
}

// desired is the answer at the end of a wait, which is a sign of life too.
func (c *Controller) desired(report gateway.NodeReport) (protocol.SyncResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, n, err := c.findNode(report.Fleet, report.Node)
	if err != nil {
		return protocol.SyncResponse{}, err
	}
	n.report.ReportedAt = c.cfg.Now()
	return protocol.SyncResponse{Desired: n.rendering.tree.Digest, ReloadEvery: f.reloadEvery, Drain: f.drainOf(n)}, nil
}

func (c *Controller) serveBundle(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	c.mu.Lock()
	_, n, err := c.findNode(q.Get("fleet"), q.Get("node"))
	if err != nil {
		c.mu.Unlock()
		fail(w, err)
		return
	}
	tree := n.rendering.find(cmp.Or(q.Get("digest"), n.rendering.tree.Digest))
	c.mu.Unlock()
	if tree == nil {
		fail(w, fmt.Errorf("bundle %q: %w: it is not desired any more; sync again", q.Get("digest"), gateway.ErrNotFound))
		return
	}
	answer(w, tree)
}

func (c *Controller) serveTree(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	tree := &protocol.NodeTree{}
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxTree)).Decode(tree); err != nil {
		fail(w, fmt.Errorf("read the tree: %w: %w", gateway.ErrInvalid, err))
		return
	}
	slices.SortFunc(tree.Files, func(a, b protocol.NodeFile) int { return cmp.Compare(a.Path, b.Path) })
	tree.At = c.cfg.Now()
	c.mu.Lock()
	_, n, err := c.findNode(q.Get("fleet"), q.Get("node"))
	if err == nil {
		err = c.keepTree(n, tree)
	}
	c.mu.Unlock()
	if err != nil {
		fail(w, err)
		return
	}
	c.cfg.Changed(q.Get("fleet"))
	w.WriteHeader(http.StatusNoContent)
}

// makeRoom sees that a node of that name can be added: in a full fleet the node that has
// been silent for longest gives way, if there is one.
func (f *fleetState) makeRoom(name string, now time.Time) error {
	if f.nodes[name] != nil || len(f.nodes) < maxNodes {
		return nil
	}
	oldest := ""
	for other, n := range f.nodes {
		if now.Sub(n.report.ReportedAt) > silentAfter && (oldest == "" || n.report.ReportedAt.Before(f.nodes[oldest].report.ReportedAt)) {
			oldest = other
		}
	}
	if oldest == "" {
		return fmt.Errorf("node %q: %w: the fleet has %d nodes that report, which is the most; split it into several fleets", name, gateway.ErrInvalid, maxNodes)
	}
	delete(f.nodes, oldest)
	return nil
}

// keepTree stores what n uploaded, unless all trees together would take too much memory. mu
// is held.
func (c *Controller) keepTree(n *node, tree *protocol.NodeTree) error {
	total := tree.Size()
	for _, f := range c.fleets {
		for _, other := range f.nodes {
			if other != n && other.tree != nil {
				total += other.tree.Size()
			}
		}
	}
	if total > maxTrees {
		return fmt.Errorf("the uploaded trees of all nodes would take %d MiB: %w: the most is %d MiB; keep large files out of nginx's configuration, or split the fleets over several control planes", total>>20, gateway.ErrInvalid, maxTrees>>20)
	}
	n.tree = tree
	return nil
}

// validNode accepts what can stand in logs, metrics and file names.
func validNode(name string) error {
	ok := func(r rune) bool { return r > 0x20 && r != '/' && r != 0x7f }
	if name == "" || len(name) > 253 || name == "desired" || strings.ContainsFunc(name, func(r rune) bool { return !ok(r) }) {
		return fmt.Errorf("node name %q: %w: use a host name; \"desired\" is taken", name, gateway.ErrInvalid)
	}
	return nil
}

func answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // the agent is gone; it will ask again
}

// fail maps an error to an RFC 9457 problem document.
func fail(w http.ResponseWriter, err error) {
	p := protocol.Problem{Status: http.StatusInternalServerError, Code: "internal", Detail: err.Error()}
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		p.Status, p.Code = http.StatusNotFound, "not_found"
	case errors.Is(err, gateway.ErrInvalid):
		p.Status, p.Code = http.StatusBadRequest, "invalid"
	case errors.Is(err, gateway.ErrUnavailable):
		p.Status, p.Code = http.StatusServiceUnavailable, "unavailable"
	}
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // as above
}
