package nginxconf

import (
	"slices"

	"github.com/sluice-gateway/sluice/gateway"
)

// part is what was made of one thing of a snapshot.
type part struct {
	files    []summedFile
	problems []gateway.Problem
	// ifUsed are problems only while a route sends requests to the upstream.
	ifUsed []gateway.Problem
}

type upstreamPart struct {
	part
	from *gateway.EffectiveUpstream
}

type hostPart struct {
	part
	from    *gateway.Host
	targets []gateway.UpstreamKey // whose traits it was written with
	bound   []binding
}

// changes collects what a snapshot changed against the one before.
type changes struct {
	traits map[gateway.UpstreamKey]bool
	certs  bool         // certificates are others
	bound  bool         // a host may have another one
	hosts  bool         // a host came, went, or has other rules
	shape  bool         // a file came or went
	notes  bool         // problems may be others
	fresh  []summedFile // written anew
}

// replace puts a part that was written anew in the place of the one before.
func (c *changes) replace(old *part, now part) {
	c.shape = c.shape || !slices.EqualFunc(old.files, now.files, func(a, b summedFile) bool { return a.Path == b.Path })
	c.notes = c.notes || !slices.Equal(old.problems, now.problems) || !slices.Equal(old.ifUsed, now.ifUsed)
	c.fresh = append(c.fresh, now.files...)
	*old = now
}

// touches says whether the traits of one of the upstreams changed.
func (c *changes) touches(targets []gateway.UpstreamKey) bool {
	return len(c.traits) > 0 && slices.ContainsFunc(targets, func(k gateway.UpstreamKey) bool { return c.traits[k] })
}
