package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every mistake in sluice.yaml is named with its place and what to do.
func TestConfigMistakesHaveAPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"registry without a name", "etcd: [{endpoints: [\"http://a:1\"]}]\n", `:1:9: etcd[0].name: ""`},
		{"registry twice", "etcd: [{name: a, endpoints: [\"http://a:1\"]}, {name: a, endpoints: [\"http://a:1\"]}]\n", `:1:53: etcd[1].name: "a" is empty or used twice`},
		{"registry nowhere", "etcd: [{name: a}]\n", `:1:9: etcd[0].endpoints: name at least one`},
		{"registry without scheme", "etcd: [{name: a, endpoints: [\"10.0.0.1:2379\"]}]\n", `:1:29: etcd[0].endpoints: endpoint 0, "10.0.0.1:2379", is not a URL`},
		{"registry plain with TLS", "etcd: [{name: a, endpoints: [\"http://a:1\"], caFile: ca}]\n", `:1:29: etcd[0].endpoints: TLS files are given for plain http`},
		{"registry mixed", "etcd: [{name: a, endpoints: [\"http://a:1\", \"https://a:1\"]}]\n", `:1:29: etcd[0].endpoints: some are http`},
		{"registry half a key", "etcd: [{name: a, endpoints: [\"https://a:1\"], keyFile: k}]\n", `:1:9: etcd[0].certFile: certFile and keyFile`},
		{"registry half a user", "etcd: [{name: a, endpoints: [\"https://a:1\"], username: u}]\n", `:1:56: etcd[0].username: username and passwordFile`},
		{"registry's prefix", "etcd: [{name: a, endpoints: [\"https://a:1\"], prefixes: [/]}]\n", `:1:56: etcd[0].prefixes: prefix 0, "/", is the whole etcd`},
		{"unknown key", "node: a\nlissteners: []\n", `:2:1: unknown field "lissteners"`},
		{"duration", "node: a\nshutdown:\n  grace: 5x\n", `:3:10: "5x" is not a duration`},
		{"address", "node: a\nlisteners:\n  - {name: http, address: \":80\"}\n  - {name: b, address: nonsense}\n", `:4:24: listeners[1].address: "nonsense" is not an address`},
		{"missing value", "listeners:\n  - address: \":80\"\n", `:2:5: listeners[0].name: ""`},
		{"network", "listeners: [{name: a, address: \":80\", trustedProxies: [10.0.0.0]}]\n", `:1:55: listeners[0].trustedProxies: "10.0.0.0" is not a network`},
		{"level", "log: {level: loud}\n", `:1:14: log.level: "loud" is not`},
		{"syntax", "node: [a\n", `:1:7: `},
		{"two documents", "node: a\n---\nnode: b\n", `:3: a second document`},
		{"cluster", "kubernetes: [{name: a}]\n", `:1:15: kubernetes[0]: give exactly one`},
		{"cluster without token", "kubernetes: [{name: a, server: \"https://a\"}]\n", `:1:15: kubernetes[0]: server needs tokenFile`},
		{"cluster with half a token", "kubernetes: [{name: a, inCluster: true, tokenFile: t}]\n", `:1:15: kubernetes[0]: tokenFile and caFile belong to server`},
		{"cluster that is impatient", "kubernetes: [{name: a, inCluster: true, stall: 5s}]\n", `:1:15: kubernetes[0]: stall: 5s is less than 2m`},
		{"cluster that is busy", "kubernetes: [{name: a, inCluster: true, resync: 5s}]\n", `:1:15: kubernetes[0]: resync: 5s is less than 1m`},
	} {
		file := filepath.Join(t.TempDir(), "sluice.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readConfig(file, func(string) string { return "" })
		if err == nil || !strings.Contains(err.Error(), file+c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, file+c.want)
		}
	}
}

func TestConfigFromNowhereIsComplete(t *testing.T) {
	c, err := readConfig("", func(name string) string { return map[string]string{"SLUICE_NODE": "edge-1"}[name] })
	if err != nil || c.Node != "edge-1" || c.Listeners[0].Address != ":8080" || c.Admin.Address != "127.0.0.1:9080" || c.Ops.Address != ":9081" {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = readConfig("", func(name string) string { return map[string]string{"SLUICE_ADMIN_ADDRESS": ":9080"}[name] })
	if err == nil || !strings.Contains(err.Error(), "configuration: admin.address: ") {
		t.Errorf("an open admin listener without TLS: %v", err)
	}
}
