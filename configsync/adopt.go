package configsync

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// Adoption says what has to be written so that an edit by hand is what all nodes should have.
// In a location of a route it becomes an Override, in an upstream an endpoint by hand or a
// Pin. What can't be said in objects is refused with the reason.
func (c *Controller) Adoption(fleet, id, reason string) (gateway.Adoption, error) {
	h, err := c.Hunk(fleet, id)
	if err != nil {
		return gateway.Adoption{}, err
	}
	if h.Kind == gateway.HunkOutside {
		return gateway.Adoption{}, refuse(h, "%s is not a file that Sluice writes, so no object holds it", h.Path)
	}
	a, err := c.adopter(fleet, h)
	if err != nil {
		return gateway.Adoption{}, err
	}
	owner, ok := a.tree.HunkOwner(h.Hunk, a.shape.places)
	switch {
	case h.Change == gateway.HunkText || h.Change == gateway.HunkUnreadable || h.Change == gateway.HunkMoved:
		return gateway.Adoption{}, refuse(h, "objects have no place for comments, white space, a different order, or text that nginx can't read")
	case !ok:
		return gateway.Adoption{}, refuse(h, "its place in %s belongs to no object", h.Path)
	case owner.Kind == gateway.KindUpstream:
		return a.endpoint(owner)
	case owner.Kind == gateway.KindOverride:
		return gateway.Adoption{}, refuse(h, "the line comes from %s: change it there", owner)
	case owner.Kind != gateway.KindRoute || len(h.Where) == 0 || !strings.HasPrefix(h.Where[len(h.Where)-1], "location "):
		return gateway.Adoption{}, refuse(h, "it stands outside of a location of a route, and overrides hold directives of locations")
	}
	return a.override(owner, reason)
}

// refuse says why an edit can't be adopted and what can be done instead.
func refuse(h gateway.NodeHunk, format string, args ...any) error {
	return fmt.Errorf("hunk %s can't be adopted: %w: %s. Revert it, or allow it until a date", h.ID, gateway.ErrInvalid, fmt.Sprintf(format, args...))
}

// adopter has what one of the nodes with the edit has.
type adopter struct {
	hunk     gateway.NodeHunk
	fleet    string
	snapshot *gateway.Snapshot
	tree     *nginxconf.Tree // what is on its disk, without edits
	shape    *shape
}

func (c *Controller) adopter(fleet string, h gateway.NodeHunk) (*adopter, error) {
	members, err := c.members(fleet)
	if err != nil {
		return nil, err
	}
	a := &adopter{hunk: h, fleet: fleet}
	for _, m := range members {
		if m.node.Node == h.On[0].Node {
			a.shape = m.shape
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, n, err := c.findNode(fleet, h.On[0].Node)
	if err != nil {
		return nil, err
	}
	a.snapshot = f.seen
	if a.tree = n.rendering.find(n.report.OnDisk); a.tree == nil || a.shape == nil {
		return nil, fmt.Errorf("hunk %s: %w: the bundle or the files of node %s are not here yet; try again in a moment", h.ID, gateway.ErrUnavailable, n.report.Node)
	}
	return a, nil
}

// override makes the Override and tries it out: rendered with it, the file has to hold the
// edit.
func (a *adopter) override(route gateway.Ref, reason string) (gateway.Adoption, error) {
	h := a.hunk
	if h.New == "" {
		return gateway.Adoption{}, refuse(h, "overrides add and replace directives, and can't take %q away", h.Directive)
	}
	o := &gateway.Override{Meta: gateway.Meta{Kind: gateway.KindOverride, Tenant: route.Tenant, Name: "adopted-" + h.ID},
		Spec: gateway.OverrideSpec{Route: route.Name, Nginx: h.New, Reason: reason}}
	with := withOverride(a.snapshot, route, gateway.NginxText{Override: o.Ref(), Text: h.New})
	tree, problems := nginxconf.Render(with, a.fleet, a.shape.report.Facts)
	for _, p := range problems {
		if p.Object == o.Ref() {
			return gateway.Adoption{}, refuse(h, "%s", strings.TrimRight(p.Message, ". "))
		}
	}
	places := nginxconf.PlacesOf(a.shape.report.Facts, tree.Digest)
	base := nginxconf.NewSide(h.Path, fileText(&tree, h.Path), places)
	was := nginxconf.NewSide(h.Path, fileText(a.tree, h.Path), a.shape.places)
	is, _ := a.shape.file(a.shape.places.Name(h.Path))
	text, conflicts := nginxconf.Splice(h.Path, base, was, is.side, func(x gateway.Hunk) bool { return x.ID == h.ID })
	if text != base.Text || len(conflicts) > 0 {
		return gateway.Adoption{}, refuse(h, "the files would not come out as edited with an override of route %s", route.Name)
	}
	return gateway.Adoption{Override: o}, nil
}

func fileText(t *nginxconf.Tree, path string) string {
	if f := t.File(path); f != nil {
		return f.Data
	}
	return ""
}

// withOverride is the snapshot as it will be with one more override text of a route.
func withOverride(s *gateway.Snapshot, route gateway.Ref, text gateway.NginxText) *gateway.Snapshot {
	out := *s
	out.Hosts = slices.Clone(s.Hosts)
	for i, h := range s.Hosts {
		copied := *h
		copied.Rules = slices.Clone(h.Rules)
		for j, rule := range h.Rules {
			if rule.Route.Tenant != route.Tenant || rule.Route.Name != route.Name {
				continue
			}
			r := *rule.Route
			r.Nginx = append(slices.Clone(r.Nginx), text)
			copied.Rules[j].Route = &r
		}
		out.Hosts[i] = &copied
	}
	return &out
}

// line is what a server line of an upstream says.
type line struct {
	address      string
	weight       int
	backup, down bool
}

// endpoint translates an edit of an upstream's servers.
func (a *adopter) endpoint(owner gateway.Ref) (gateway.Adoption, error) {
	h := a.hunk
	out := gateway.Adoption{Upstream: gateway.UpstreamKey{Tenant: owner.Tenant, Name: owner.Name}}
	u := a.snapshot.Upstream(out.Upstream)
	if h.Directive != "server" || u == nil {
		return out, refuse(h, "of an upstream only its servers can be adopted; balancing and keep-alive belong to the object %s", owner)
	}
	was, errOld := readLine(h.Old)
	is, errNew := readLine(h.New)
	if err := cmp.Or(errOld, errNew); err != nil {
		return out, refuse(h, "%s", err)
	}
	i := slices.IndexFunc(u.Endpoints, func(e gateway.Endpoint) bool { return e.Address == cmp.Or(is.address, was.address) })
	byHand := i >= 0 && slices.Contains(u.Endpoints[i].Sources, gateway.SourceManual)
	switch {
	case is.address == "" && byHand && len(u.Endpoints[i].Sources) == 1:
		out.Remove = was.address
	case is.address == "":
		out.Pin = &gateway.PinSpec{Upstream: owner.Name, Address: was.address, State: gateway.PinDrained}
	case was.address != "" && was.weight == is.weight && was.backup == is.backup:
		out.Pin = &gateway.PinSpec{Upstream: owner.Name, Address: is.address, State: gateway.PinUp}
		if is.down {
			out.Pin.State = gateway.PinDown
		}
	case is.down != was.down:
		return out, refuse(h, "it changes the endpoint and takes it out or in at once, which are two objects")
	default:
		e := &gateway.ManualEndpoint{Address: is.address, Weight: &is.weight}
		if is.backup {
			e.Priority = 1
		}
		if i >= 0 {
			e.Zone = u.Endpoints[i].Zone
			if is.backup == was.backup {
				e.Priority = u.Endpoints[i].Priority
			}
		}
		out.Endpoint = e
	}
	return out, nil
}

// readLine reads the text of a server line; an empty text is an empty line.
func readLine(text string) (l line, err error) {
	if text == "" {
		return l, nil
	}
	c, err := nginxconf.Parse("server", text)
	if err != nil || len(c.Directives) != 1 || len(c.Directives[0].Words) < 2 {
		return l, fmt.Errorf("%q is no server line", text)
	}
	args := c.Directives[0].Args()
	at, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return l, fmt.Errorf("%q is not IP:port, and endpoints are addresses", args[0])
	}
	l.address, l.weight = at.String(), 1
	for _, arg := range args[1:] {
		weight, isWeight := strings.CutPrefix(arg, "weight=")
		switch {
		case arg == "backup":
			l.backup = true
		case arg == "down":
			l.down = true
		case isWeight:
			if l.weight, err = strconv.Atoi(weight); err != nil || l.weight < 1 {
				return l, fmt.Errorf("the weight %q is no positive number", weight)
			}
		default:
			return l, fmt.Errorf("the parameter %q has no place in an endpoint", arg)
		}
	}
	return l, nil
}
