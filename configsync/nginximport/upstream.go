package nginximport

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// drafted is an upstream, and what the locations that use it have settled.
type drafted struct {
	*gateway.Upstream
	at     *statement // its block, or the pass directive that names an address
	pins   []*gateway.Pin
	used   bool
	timing timing // see settings.go
}

// upstream returns the upstream that a pass directive names, as it is spoken to, or nil with a
// note. host is a name of a block, an address or a name to look up.
func (m *importer) upstream(host, protocol string, pass *statement) *drafted {
	key := strings.ToLower(host) + " " + protocol
	if d := m.upstreams[key]; d != nil {
		return d
	}
	block := m.blocks[strings.ToLower(host)]
	d := &drafted{at: pass, Upstream: &gateway.Upstream{Meta: gateway.Meta{Kind: gateway.KindUpstream, Tenant: m.options.Tenant}}}
	if protocol != "http" {
		d.Spec.Protocol = protocol
	}
	name := host
	if block != nil {
		d.at = block
		name = strings.TrimPrefix(block.arg(0), m.options.Tenant+".")
	}
	d.Name = m.name(gateway.KindUpstream, name)
	if block != nil {
		m.block(d, block)
	} else if !m.endpoint(d, pass, host, defaultPort(protocol), nil) {
		return nil
	}
	m.upstreams[key] = d
	m.ordered = append(m.ordered, d)
	return d
}

func defaultPort(protocol string) string {
	if protocol == "https" || protocol == "h2" {
		return "443"
	}
	return "80"
}

// unused brings in upstreams that no location names, or only locations that did not translate.
func (m *importer) unused(block *statement) {
	if block.Block == nil {
		return
	}
	for _, protocol := range gateway.Protocols {
		if m.upstreams[strings.ToLower(block.arg(0))+" "+protocol] != nil {
			return
		}
	}
	m.upstream(block.arg(0), "http", block)
}

// block reads an upstream block.
func (m *importer) block(d *drafted, block *statement) {
	say(block)
	var most []int
	servers := 0
	for _, s := range block.kids {
		switch s.Name() {
		case "server":
			servers++
			if m.member(d, s, &most) {
				say(s)
			}
		case "zone", "keepalive", "keepalive_requests", "keepalive_time":
			say(s) // Sluice keeps connections, and what workers share, by itself
		case "keepalive_timeout":
			if t, ok := parseTime(s.arg(0)); ok && t > 0 {
				say(s)
				d.Spec.Timeouts.Idle = unless(t, 30*time.Second)
			}
		case "least_conn", "least_time", "random", "ip_hash", "hash":
			m.balance(d, s)
		}
	}
	if len(most) > 0 {
		m.limit(d, block, most, servers)
	}
}

// unless is nothing for the default, which objects leave out.
func unless(t, byDefault time.Duration) gateway.Duration {
	if t == byDefault {
		return 0
	}
	return gateway.Duration(t)
}

// limit bounds the upstream as a whole, as nginx bounds its servers.
func (m *importer) limit(d *drafted, block *statement, most []int, servers int) {
	total := 0
	for _, n := range most {
		total += n
	}
	if len(most) != servers || slices.Min(most) != slices.Max(most) {
		m.differs(block, fmt.Sprintf("max_conns differs between its servers, and spec.limits bounds all of them together to %d", total), "Set what the upstream may have as a whole")
	}
	none := 0
	d.Spec.Limits = gateway.UpstreamLimits{MaxConnections: total, MaxPending: &none}
}

// member reads a server of an upstream block.
func (m *importer) member(d *drafted, s *statement, most *[]int) bool {
	e := gateway.ManualEndpoint{}
	down := false
	fails := gateway.FailLimit{Max: 1}
	counts := false
	for _, a := range s.Args()[min(1, len(s.Args())):] {
		key, value, _ := strings.Cut(a, "=")
		n, err := strconv.Atoi(value)
		switch {
		case key == "weight" && err == nil:
			if n > 1000 {
				m.differs(s, fmt.Sprintf("weight %d is more than 1000, which it becomes", n), "Give all of the upstream's servers smaller weights")
				n = 1000
			}
			if n != 1 {
				e.Weight = &n
			}
		case key == "backup":
			e.Priority = 1
		case key == "down":
			down = true
		case key == "max_conns" && err == nil && n > 0:
			*most = append(*most, n)
		case key == "max_fails" && err == nil:
			fails.Max, counts = n, true
		case key == "fail_timeout":
			if t, ok := parseTime(value); ok {
				fails.Timeout, counts = gateway.Duration(t), true
			}
		case key == "slow_start":
			if t, ok := parseTime(value); ok {
				span := gateway.Duration(t)
				d.Spec.SlowStart = &span
			}
		case key == "resolve", key == "max_conns":
		default:
			m.differs(s, "its parameter "+printable(a)+" is left out: endpoints have no such thing", byHand)
		}
	}
	if counts {
		e.Fails = &fails
	}
	if down && isName(s.arg(0)) {
		m.refuse(s, "it is down, and a Pin is of an address, so the name is left out", "Add it to spec.discover of the Upstream when it comes back")
		return false
	}
	before := len(d.Spec.Endpoints)
	if !m.endpoint(d, s, s.arg(0), "80", &e) {
		return false
	}
	if down && len(d.Spec.Endpoints) > before {
		m.down(d, s)
	}
	return true
}

// isName says whether a server is one that DNS knows.
func isName(text string) bool {
	host, _, err := net.SplitHostPort(text)
	if err != nil {
		host = strings.Trim(text, "[]")
	}
	_, err = netip.ParseAddr(host)
	return err != nil && !strings.HasPrefix(text, "unix:") && !strings.EqualFold(host, "localhost")
}

// down pins the newest endpoint.
func (m *importer) down(d *drafted, s *statement) {
	address := d.Spec.Endpoints[len(d.Spec.Endpoints)-1].Address
	pin := &gateway.Pin{Meta: gateway.Meta{Kind: gateway.KindPin, Tenant: m.options.Tenant, Name: gateway.PinName(d.Name, address)},
		Spec: gateway.PinSpec{Upstream: d.Name, Address: address, State: gateway.PinDown, Reason: fmt.Sprintf("down in %s:%d when it was imported", s.file, s.Line())}}
	d.pins = append(d.pins, pin)
}

// endpoint adds an address, or a name to look up, to an upstream. with is what is known besides.
func (m *importer) endpoint(d *drafted, s *statement, text, port string, with *gateway.ManualEndpoint) bool {
	host, p, err := net.SplitHostPort(text)
	if err != nil {
		host, p = strings.Trim(text, "[]"), port
	}
	n, err := strconv.Atoi(p)
	switch {
	case strings.HasPrefix(text, "unix:"):
		m.refuse(s, "endpoints are IP:port, and no sockets", "Let the server listen on an address")
		return false
	case err != nil || n < 1 || n > 65535 || host == "":
		m.refuse(s, printable(text)+" is not an address", byHand)
		return false
	case strings.EqualFold(host, "localhost"):
		host = "127.0.0.1"
	}
	if with == nil {
		with = &gateway.ManualEndpoint{}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		e := *with
		e.Address = netip.AddrPortFrom(a.Unmap(), uint16(n)).String()
		if _, err := gateway.NormalAddress(e.Address); err != nil {
			m.refuse(s, err.Error(), byHand)
			return false
		}
		if slices.ContainsFunc(d.Spec.Endpoints, func(o gateway.ManualEndpoint) bool { return o.Address == e.Address }) {
			m.differs(s, "the address stands twice, and counts once", "Give it a weight instead")
			return true
		}
		d.Spec.Endpoints = append(d.Spec.Endpoints, e)
		return true
	}
	if _, err := gateway.NormalHost(host); err != nil || strings.ContainsAny(host, "*$") {
		m.refuse(s, printable(host)+" is neither an address nor a name", byHand)
		return false
	}
	found := gateway.Discover{DNS: &gateway.DNSDiscover{Name: host, Port: n}}
	if with.Priority != 0 {
		found.Priority = &with.Priority
	}
	d.Spec.Discover = append(d.Spec.Discover, found)
	lost := ""
	if with.Weight != nil || with.Fails != nil {
		lost = ", without the weight and limits of this line"
	}
	m.differs(s, "nginx looks the name up once, when it starts; Sluice follows it by DNS"+lost, "")
	return true
}
