package dns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// setup is what is asked, and how.
type setup struct {
	servers  []string // "IP:port"
	search   []string
	ndots    int
	timeout  time.Duration // of one exchange
	attempts int           // rounds through the servers
}

// ServerAddress reads a name server as it stands in sluice.yaml: an IP address, with a port
// where it is not 53.
func ServerAddress(s string) (string, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return net.JoinHostPort(a.String(), "53"), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return "", fmt.Errorf("%q is not the address of a name server: write 10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:53", s)
	}
	return ap.String(), nil
}

// silence is how long a server that did not answer is asked after the others.
const silence = 30 * time.Second

// servers says whom to ask now. It has a lock because every lookup asks it.
type servers struct {
	path  string // of resolv.conf; "": fixed is all there is
	fixed setup

	mu      sync.Mutex
	read    os.FileInfo // of the file when it was read
	checked time.Time
	current setup
	silent  map[string]time.Time // until when a server is asked last
}

// checkEvery is how often the file is looked at: many names are looked up at a time.
const checkEvery = time.Second

// get is the setup now. It fails only before the file was ever read.
func (s *servers) get(now time.Time) (setup, error) {
	if s.path == "" {
		return s.fixed, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read != nil && now.Sub(s.checked) < checkEvery {
		return s.current, nil
	}
	s.checked = now
	info, err := os.Stat(s.path)
	if err == nil && s.read != nil && os.SameFile(info, s.read) && info.ModTime().Equal(s.read.ModTime()) && info.Size() == s.read.Size() {
		return s.current, nil
	}
	var next setup
	if err == nil {
		next, err = readResolvConf(s.path, s.fixed)
	}
	if err != nil {
		if s.read != nil {
			return s.current, nil // replaced by deleting it first: the last one serves on
		}
		return setup{}, fmt.Errorf("read the name servers: %w", err)
	}
	s.current, s.read = next, info
	return next, nil
}

func readResolvConf(path string, defaults setup) (setup, error) {
	c, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return setup{}, err
	}
	out := setup{search: c.Search, ndots: c.Ndots, timeout: min(time.Duration(c.Timeout)*time.Second, 30*time.Second), attempts: min(c.Attempts, 5)}
	if defaults.timeout != 0 {
		out.timeout = defaults.timeout
	}
	for _, name := range c.Servers {
		address, bad := ServerAddress(name)
		if err = bad; err == nil {
			out.servers = append(out.servers, address)
		}
	}
	switch {
	case len(out.servers) > 0:
		return out, nil
	case err != nil:
		return setup{}, fmt.Errorf("%s: %w", path, err)
	}
	out.servers = []string{"127.0.0.1:53"} // resolv.conf(5)
	return out, nil
}

// inTurn orders the servers: beginning with the first-th, those that were silent lately last.
func (s *servers) inTurn(list []string, first int, now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var good, bad []string
	for i := range list {
		server := list[(i+first)%len(list)]
		if now.Before(s.silent[server]) {
			bad = append(bad, server)
			continue
		}
		good = append(good, server)
	}
	return slices.Concat(good, bad)
}

// answered notes whether a server spoke.
func (s *servers) answered(server string, did bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if did {
		delete(s.silent, server)
		return
	}
	if s.silent == nil {
		s.silent = map[string]time.Time{}
	}
	s.silent[server] = now.Add(silence)
}

// String is for messages.
func (s setup) String() string { return strings.Join(s.servers, ", ") }
