package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/manifest"
	"github.com/sluice-gateway/sluice/proxy"
)

// configOf reads a sluice.yaml.
func configOf(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readConfig(path, func(string) string { return "" })
}

func TestLimitsConfig(t *testing.T) {
	c, err := configOf(t, `
limits: {headerTimeout: 3s, idleTimeout: 4s, bodyTimeout: 5s, writeTimeout: 6s, minBodyRate: 1k, minSendRate: 0, rateGrace: 7s}
listeners:
  - {name: a, address: "127.0.0.1:0", limits: {maxConnections: 0, maxConnectionsPerClient: 7, maxHeaderBytes: 8k}, proxyProtocol: {trusted: [10.0.0.0/8]}}
  - {name: b, address: "127.0.0.1:0"}
`)
	if err != nil {
		t.Fatal(err)
	}
	var p proxy.Config
	c.Limits.apply(&p)
	if p.HeaderTimeout != 3*time.Second || p.IdleTimeout != 4*time.Second || p.BodyTimeout != 5*time.Second || p.WriteTimeout != 6*time.Second ||
		p.MinBodyRate != 1024 || p.MinSendRate != -1 || p.RateGrace != 7*time.Second {
		t.Errorf("%+v", p)
	}
	a, err := c.Listeners[0].proxyListener()
	if err != nil || a.MaxConnections != -1 || a.MaxConnectionsPerClient != 7 || a.Limits.Head != 8<<10 || len(a.ProxyProtocol) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	b, err := c.Listeners[1].proxyListener()
	if err != nil || b.MaxConnections != 0 || b.MaxConnectionsPerClient != 0 || b.Limits.Head != 0 || b.ProxyProtocol != nil {
		t.Errorf("%+v, %v", b, err)
	}
	var none proxy.Config
	LimitsConfig{}.apply(&none)
	if none.MinBodyRate != 0 || none.HeaderTimeout != 0 {
		t.Errorf("defaults are the proxy's own, got %+v", none)
	}
}

func TestLimitsConfigRefused(t *testing.T) {
	for text, want := range map[string]string{
		`listeners: [{name: a, address: ":0", limits: {maxConnections: -1}}]`:          "listeners[0].limits.maxConnections: -1 is negative",
		`listeners: [{name: a, address: ":0", limits: {maxConnectionsPerClient: -1}}]`: "listeners[0].limits.maxConnectionsPerClient: -1 is negative",
		`listeners: [{name: a, address: ":0", limits: {maxHeaderBytes: 1m}}]`:          "listeners[0].limits.maxHeaderBytes: 1m is outside 1k to 64k",
		`listeners: [{name: a, address: ":0", proxyProtocol: {}}]`:                     "listeners[0].proxyProtocol.trusted: name the networks",
		`listeners: [{name: a, address: ":0", proxyProtocol: {trusted: [10.0.0.1]}}]`:  `listeners[0].proxyProtocol.trusted: "10.0.0.1" is not a network`,
		`listeners: [{name: a, address: ":0", proxyProtocol: {trust: [10.0.0.0/8]}}]`:  "trust",
		`limits: {minBodyRate: fast}`:                                                  `"fast" is not a size`,
		`limits: {bodyTimeout: -1s}`:                                                   "negative",
		`limits: {maxConnections: 5}`:                                                  "maxConnections",
	} {
		if _, err := configOf(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// The example with limits is what Sluice accepts, without any Problem.
func TestLimitsExample(t *testing.T) {
	if _, err := readConfig("../../examples/limits/sluice.yaml", func(string) string { return "" }); err != nil {
		t.Error(err)
	}
	items, err := manifest.ReadPaths(strings.NewReader(""), "../../examples/limits/objects.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if problems := checkObjects(items); len(items) != 6 || len(problems) > 0 {
		t.Errorf("%d objects, %v", len(items), problems)
	}
}

// So is the example with names in DNS.
func TestDNSExample(t *testing.T) {
	c, err := readConfig("../../examples/dns/sluice.yaml", func(string) string { return "" })
	if err != nil || len(c.DNS) != 1 {
		t.Errorf("%+v, %v", c.DNS, err)
	}
	items, err := manifest.ReadPaths(strings.NewReader(""), "../../examples/dns/objects.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if problems := checkObjects(items); len(items) != 3 || len(problems) > 0 {
		t.Errorf("%d objects, %v", len(items), problems)
	}
}
