package configsync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
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
	maxFacts = 64
	maxTrees = 512 << 20
)

// Handler serves agents below /agent/v1/; see package protocol. The caller has checked which node
// a request comes from, and says so with [protocol.WithPeer].
func (c *Controller) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+protocol.PathSync, c.serveSync)
	mux.HandleFunc("GET "+protocol.PathBundle, own(c.serveBundle))
	mux.HandleFunc("GET "+protocol.PathLive, own(c.serveLive))
	mux.HandleFunc("PUT "+protocol.PathTree, own(c.serveTree))
	mux.HandleFunc("POST "+protocol.PathOutcomes, own(c.serveOutcomes))
	return mux
}

// own lets requests through that name the node that they come from.
func own(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		q := req.URL.Query()
		if err := protocol.Check(req.Context(), q.Get("fleet"), q.Get("node")); err != nil {
			fail(w, err)
			return
		}
		next(w, req)
	}
}

func (c *Controller) serveSync(w http.ResponseWriter, req *http.Request) {
	var in protocol.SyncRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxReport)).Decode(&in); err != nil {
		fail(w, fmt.Errorf("read the report: %w: %w", gateway.ErrInvalid, err))
		return
	}
	if err := protocol.Check(req.Context(), in.Report.Fleet, in.Report.Node); err != nil {
		fail(w, err)
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
	if err := protocol.ValidNode(in.Report.Node); err != nil {
		return protocol.SyncResponse{}, err
	}
	if err := in.Report.Facts.Check(); err != nil {
		return protocol.SyncResponse{}, err
	}
	out, news, err := c.takeReport(in)
	if err != nil || out.Desired != in.Have || out.LiveVersion != in.HaveLive || out.UploadTree || out.Settle != nil || in.Wait <= 0 {
		return out, err
	}
	timer := time.NewTimer(min(in.Wait.Std(), protocol.MaxWait))
	defer timer.Stop()
	// The agent is gone; the controller closes; time is up; there is news.
	select {
	case <-ctx.Done():
		return out, nil
	case <-c.closed:
	case <-timer.C:
	case <-news.bundle:
	case <-news.live:
	case <-news.settled:
	}
	return c.desired(in)
}

// news are closed when there is something new for a node.
type news struct {
	bundle  <-chan struct{} // another one is desired
	live    <-chan struct{} // endpoint sets changed
	settled <-chan struct{} // somebody settled an edit
}

// takeReport stores a report and says what is desired until there is news.
func (c *Controller) takeReport(in protocol.SyncRequest) (out protocol.SyncResponse, news news, err error) {
	report := in.Report
	c.mu.Lock()
	f, err := c.find(report.Fleet)
	if err == nil {
		err = c.known(f)
	}
	if err == nil {
		err = f.makeRoom(report.Node, c.cfg.Now())
	}
	if err != nil {
		c.mu.Unlock()
		return out, news, err
	}
	r, upload := c.update(f, report)
	out = protocol.SyncResponse{Desired: r.tree.Digest, ReloadEvery: f.reloadEvery, UploadTree: upload}
	out.LiveVersion, news.live = c.liveVersion(f, report)
	n := f.nodes[report.Node]
	out.Drain = f.drainOf(n)
	out.Settle = c.settleNews(n, in.Settled, in.Carried)
	if n.told = in.Settled; n.awake == nil {
		n.awake = make(chan struct{})
	}
	news.bundle, news.settled = r.changed, n.awake
	moved := c.endMoves()
	c.mu.Unlock()
	if c.nudge(); moved {
		c.Refresh()
	}
	c.cfg.Changed(report.Fleet)
	c.publish()
	return out, news, nil
}

// desired is the answer at the end of a wait, which is a sign of life too.
func (c *Controller) desired(in protocol.SyncRequest) (protocol.SyncResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, n, err := c.findNode(in.Report.Fleet, in.Report.Node)
	if err != nil {
		return protocol.SyncResponse{}, err
	}
	n.report.ReportedAt = c.cfg.Now()
	version, _ := c.liveVersion(f, n.report)
	return protocol.SyncResponse{Desired: n.rendering.tree.Digest, ReloadEvery: f.reloadEvery, LiveVersion: version, Drain: f.drainOf(n),
		Settle: c.settleNews(n, in.Settled, in.Carried)}, nil
}

func (c *Controller) serveBundle(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	above, err := strconv.ParseUint(cmp.Or(q.Get("above"), "0"), 10, 64)
	if err != nil {
		fail(w, fmt.Errorf("above=%q: %w: it is a bundle's number", q.Get("above"), gateway.ErrInvalid))
		return
	}
	if len(q.Get("facts")) > maxFacts {
		fail(w, fmt.Errorf("facts=%q: %w: at most %d bytes", q.Get("facts"), gateway.ErrInvalid, maxFacts))
		return
	}
	out, err := c.bundle(req.Context(), order{q.Get("fleet"), q.Get("node"), q.Get("digest"), q.Get("facts"), above})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, out)
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
	if err == nil {
		c.wantFiles(q.Get("fleet"))
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

func answer(w http.ResponseWriter, v any) { protocol.WriteJSON(w, v) }

func fail(w http.ResponseWriter, err error) { protocol.WriteError(w, err) }
