package gateway

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Pin is a person's word on one endpoint, which wins over everything that health says. It is
// an object of its own, so that it also works for upstreams that nobody wrote, such as those
// of an Ingress, and survives when files are applied again.
type Pin struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec PinSpec          `json:"spec"`
}

// PinSpec says what is to be held of which endpoint, until when and why. Who said it stands in
// Meta.
type PinSpec struct {
	Upstream string `json:"upstream"` // of the same tenant
	Address  string `json:"address"`  // IP:port; IPv6 in brackets
	// State is one of PinStates.
	State   PinState  `json:"state"`
	Expires time.Time `json:"expires,omitzero"` // zero: until the pin is deleted
	Reason  string    `json:"reason,omitempty"`
}

// PinState is what a person says about an endpoint.
type PinState string

// RuleByHand is the rule of verdicts that follow a pin.
const RuleByHand = "by_hand"

// What can be said.
const (
	// PinDrained: no new request; what is under way has the upstream's drain time to end.
	PinDrained PinState = "drained"
	// PinUp: in rotation, whatever probes and requests say.
	PinUp PinState = "up"
	// PinDown: no new request; what is under way goes on.
	PinDown PinState = "down"
)

// PinStates lists them.
var PinStates = []PinState{PinDrained, PinUp, PinDown}

// EndpointPin is a pin as it stands on the endpoint.
type EndpointPin struct {
	Name    string    `json:"name"` // of the Pin
	State   PinState  `json:"state"`
	By      string    `json:"by,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

// Verdict is what a pinned endpoint's verdict reads. Evidence is what health has seen.
func (p *EndpointPin) Verdict(k EndpointKey, evidence Evidence) Verdict {
	v := Verdict{EndpointKey: k, State: StateHealthy, Since: p.Since, Until: p.Expires, Rule: RuleByHand, Evidence: evidence}
	word := "forced up"
	switch p.State {
	case PinDrained:
		v.State, word = StateDrained, "drained"
	case PinDown:
		v.State, word = StateDown, "forced down"
	case PinUp:
	}
	v.Reason = word + " by " + cmp.Or(p.By, "hand")
	if p.Reason != "" {
		v.Reason += ": " + p.Reason
	}
	return v
}

// Out says that the endpoint is not to get new requests.
func (p *EndpointPin) Out() bool { return p != nil && p.State != PinUp }

// PinName is the name under which the API keeps the one pin of an endpoint.
func PinName(upstream, address string) string {
	name := upstream + "-" + strings.Trim(strings.NewReplacer("[", "", "]", "", ":", "-").Replace(address), "-")
	const longest = 63
	if len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimRight(upstream[:min(len(upstream), 40)], "-.") + "-" + hex.EncodeToString(sum[:8])
}

// pinsOf are the pins by canonical address. Of several the youngest counts.
func (c *upstreamChecker) pins(pins []*Pin) map[string]*EndpointPin {
	if len(pins) == 0 {
		return nil
	}
	pins = slices.SortedFunc(slices.Values(pins), func(a, b *Pin) int {
		return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.Name, b.Name))
	})
	out := map[string]*EndpointPin{}
	for _, p := range pins {
		address, err := NormalAddress(p.Spec.Address)
		switch {
		case err != nil:
			c.pinProblem(p, "spec.address", "address_invalid", sentence(err))
		case !slices.Contains(PinStates, p.Spec.State):
			c.pinProblem(p, "spec.state", "state_unknown", fmt.Sprintf("State %q is not known, so the pin does nothing: write drained, up or down.", p.Spec.State))
		case !c.hasEndpoint(address):
			c.pinProblem(p, "spec.address", "endpoint_unknown", fmt.Sprintf("Upstream %s has no endpoint %s, so the pin does nothing until it has: delete the pin if it is not needed.", c.out.Key, address))
		default:
			out[address] = &EndpointPin{Name: p.Name, State: p.Spec.State, By: cmp.Or(p.UpdatedBy, p.CreatedBy), Since: p.UpdatedAt, Expires: p.Spec.Expires, Reason: p.Spec.Reason}
		}
	}
	return out
}

func (c *upstreamChecker) pinProblem(p *Pin, field, code, message string) {
	c.out.problems = append(c.out.problems, Problem{Object: p.Ref(), Field: field, Code: code, Source: "build", Message: message})
}

func (c *upstreamChecker) hasEndpoint(address string) bool {
	return slices.ContainsFunc(c.out.Endpoints, func(e Endpoint) bool { return e.Address == address })
}

// pin attaches what people say to the endpoints.
func (c *upstreamChecker) pin(pins []*Pin) {
	by := c.pins(pins)
	for i := range c.out.Endpoints {
		e := &c.out.Endpoints[i]
		e.Pin = by[e.Address]
	}
}

// upstream is the key of the upstream that p is about.
func (p *Pin) upstream() UpstreamKey { return UpstreamKey{Tenant: p.Tenant, Name: p.Spec.Upstream} }
