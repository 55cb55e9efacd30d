package etcd

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/sluice-gateway/sluice/gateway"
)

// value is the union of both formats. Names are compared without regard to case, so Addr
// of the naming format is the same field as our addr.
type value struct {
	traits
	Address  string          `json:"address"`
	Addr     string          `json:"addr"`
	Host     string          `json:"host"`
	Port     json.RawMessage `json:"port"`
	Op       number          `json:"op"` // naming format: 1 takes the instance out
	Metadata json.RawMessage `json:"metadata"`
}

// opDelete is naming/endpoints' Delete.
const opDelete = 1

// instance is what one key says.
type instance struct {
	endpoint gateway.SourceEndpoint
	present  bool   // false: the key says that there is none, or that it is down
	note     string // what a person should know of it
}

// parse reads one instance. Errors never quote the value: it may hold what is none of the
// upstream's business.
func parse(data []byte) (instance, error) {
	var v value
	if err := json.Unmarshal(data, &v); err != nil {
		return instance{}, fmt.Errorf("not an instance in JSON: %w", err)
	}
	address, err := v.address()
	if v.Op.is(opDelete) {
		return instance{endpoint: gateway.SourceEndpoint{Address: address}}, nil // no address: nothing is taken out
	}
	if err != nil {
		return instance{}, err
	}
	if err := v.wellFormed(); err != nil {
		return instance{}, err
	}
	t := v.or(metadata(v.Metadata))
	e := gateway.SourceEndpoint{Address: address, Weight: t.Weight.or(1), Priority: t.Priority.or(0), Zone: string(t.Zone), Tags: t.Tags.tags}
	switch {
	case e.Weight < 0 || e.Weight > maxWeight:
		return instance{}, fmt.Errorf("weight %d is not between 0 and %d", e.Weight, maxWeight)
	case e.Priority < 0:
		return instance{}, fmt.Errorf("priority %d is negative", e.Priority)
	}
	return t.Status.apply(e), nil
}

// metadata reads the traits of the naming format. Other people's data there, in a shape of
// its own, is left alone.
func metadata(text json.RawMessage) traits {
	var t traits
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) || json.Unmarshal(text, &t) != nil {
		return traits{}
	}
	return t.readable()
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
