package etcd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/sluice-gateway/sluice/gateway"
)

// maxWeight is what an endpoint given by hand may have, too.
const maxWeight = 1000

// value is the union of both formats. Names are compared without regard to case, so Addr
// of the naming format is the same field as our addr.
type value struct {
	traits
	Address  string          `json:"address"`
	Addr     string          `json:"addr"`
	Host     string          `json:"host"`
	Port     json.RawMessage `json:"port"`
	Op       int             `json:"op"` // naming format: 1 takes the instance out
	Metadata json.RawMessage `json:"metadata"`
}

// traits may stand in the value itself or in the metadata of the naming format.
type traits struct {
	Weight   *int   `json:"weight"`
	Priority *int   `json:"priority"`
	Zone     string `json:"zone"`
}

// opDelete is naming/endpoints' Delete.
const opDelete = 1

// parse reads one instance. It returns false for a value that says that there is none.
// Errors never quote the value: it may hold what is none of the upstream's business.
func parse(data []byte) (gateway.SourceEndpoint, bool, error) {
	var v value
	if err := json.Unmarshal(data, &v); err != nil {
		return gateway.SourceEndpoint{}, false, fmt.Errorf("not an instance in JSON: %w", err)
	}
	if v.Op == opDelete {
		return gateway.SourceEndpoint{}, false, nil
	}
	address, err := v.address()
	if err != nil {
		return gateway.SourceEndpoint{}, false, err
	}
	var meta traits
	if len(v.Metadata) > 0 && json.Unmarshal(v.Metadata, &meta) != nil {
		meta = traits{} // someone else's data, in a shape of its own
	}
	weight, priority := cmp.Or(v.Weight, meta.Weight), cmp.Or(v.Priority, meta.Priority)
	e := gateway.SourceEndpoint{Address: address, Weight: 1, Zone: cmp.Or(v.Zone, meta.Zone)}
	if weight != nil {
		e.Weight = *weight
	}
	if priority != nil {
		e.Priority = *priority
	}
	switch {
	case e.Weight < 0 || e.Weight > maxWeight:
		return gateway.SourceEndpoint{}, false, fmt.Errorf("weight %d is not between 0 and %d", e.Weight, maxWeight)
	case e.Priority < 0:
		return gateway.SourceEndpoint{}, false, fmt.Errorf("priority %d is negative", e.Priority)
	}
	return e, true, nil
}

// address is the instance's address in its one canonical form.
func (v *value) address() (string, error) {
	text := cmp.Or(v.Address, v.Addr)
	if text == "" && v.Host != "" && len(v.Port) > 0 {
		var port string
		if json.Unmarshal(v.Port, &port) != nil {
			port = string(v.Port) // a number
		}
		text = net.JoinHostPort(v.Host, port)
	}
	if text == "" {
		return "", errors.New(`has no address: write "address": "IP:port"`)
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Port() == 0 || a.Addr().IsUnspecified() || a.Addr().IsMulticast() || a.Addr().Zone() != "" {
		return "", fmt.Errorf("address %.80q is not an IP address and a port, such as 10.0.0.1:8080 or [2001:db8::1]:8080", text)
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String(), nil
}
