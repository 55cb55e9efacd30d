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
		{"registry's port", "etcd: [{name: a, endpoints: [\"http://a:99999\"]}]\n", `:1:29: etcd[0].endpoints: endpoint 0, "http://a:99999", is not a URL`},
		{"registry without a host", "etcd: [{name: a, endpoints: [\"https://\"]}]\n", `:1:29: etcd[0].endpoints: endpoint 0, "https://", is not a URL`},
		{"guard of nothing", "shrinkGuard: {percent: 0}\n", `:1:24: shrinkGuard.percent: 0 is not between 1 and 100`},
		{"guard of too much", "shrinkGuard: {percent: 101}\n", `:1:24: shrinkGuard.percent: 101 is not between 1 and 100`},
		{"guard that holds for nothing", "shrinkGuard: {hold: 0s}\n", `:1:21: shrinkGuard.hold: 0s is not between`},
		{"guard that holds for ever", "shrinkGuard: {hold: 10m}\n", `:1:21: shrinkGuard.hold: 10m is not between`},
		{"negative", "shrinkGuard: {hold: -1s}\n", `:1:21: "-1s" is negative`},
		{"name that leads nowhere", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  cname: edge test\n  webhook: {url: \"http://a.test/\"}\n", `:3:10: names.cname: "edge test" is not a host name`},
		{"webhook's token", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  cname: edge.test\n  webhook: {url: \"http://a.test/\", tokenFile: /none}\n", `:4:47: names.webhook.tokenFile: open /none`},
		{"ingress tenant's name", "kubernetes:\n  - {name: a, inCluster: true, ingress: {tenants: [{tenant: UPPER}]}}\n", `:2:61: kubernetes[0].ingress.tenants[0].tenant: "UPPER" is no tenant's name`},
		{"ingress lease", "kubernetes:\n  - {name: a, inCluster: true, ingress: {leaseNamespace: A b}}\n", `:2:58: kubernetes[0].ingress.leaseNamespace: "A b" is no namespace`},
		{"ingress class", "kubernetes:\n  - {name: a, inCluster: true, ingress: {class: A b}}\n", `:2:49: kubernetes[0].ingress.class: "A b" is no name of an IngressClass`},
		{"unknown key", "node: a\nlissteners: []\n", `:2:1: unknown field "lissteners"`},
		{"duration", "node: a\nshutdown:\n  grace: 5x\n", `:3:10: "5x" is not a duration`},
		{"address", "node: a\nlisteners:\n  - {name: http, address: \":80\"}\n  - {name: b, address: nonsense}\n", `:4:24: listeners[1].address: "nonsense" is not an address`},
		{"missing value", "listeners:\n  - address: \":80\"\n", `:2:5: listeners[0].name: ""`},
		{"network", "listeners: [{name: a, address: \":80\", trustedProxies: [10.0.0.0]}]\n", `:1:55: listeners[0].trustedProxies: "10.0.0.0" is not a network`},
		{"level", "log: {level: loud}\n", `:1:14: log.level: "loud" is not`},
		{"syntax", "node: [a\n", `:1:7: `},
		{"two documents", "node: a\n---\nnode: b\n", `:3: a second document`},
		{"ingress key", "kubernetes:\n  - {name: a, inCluster: true, ingress: {klass: x}}\n", `:2:42: unknown field "klass"`},
		{"ingress address", "kubernetes:\n  - {name: a, inCluster: true, ingress: {addresses: [\"10.0.0.1:80\"]}}\n", `:2:54: kubernetes[0].ingress.addresses[0]: "10.0.0.1:80" is neither`},
		{"ingress tenant", "kubernetes:\n  - {name: a, inCluster: true, ingress: {tenants: [{namespace: x}]}}\n", `:2:53: kubernetes[0].ingress.tenants[0].tenant: name the tenant`},
		{"ingress selector", "kubernetes:\n  - {name: a, inCluster: true, ingress: {tenants: [{selector: \"=\", tenant: t}]}}\n", `:2:63: kubernetes[0].ingress.tenants[0].selector: "=" is not a label selector`},
		{"ingress cluster", "kubernetes:\n  - {name: A_b, inCluster: true, ingress: {}}\n", `:2:12: kubernetes[0].name: "A_b" begins`},
		{"resolver without servers", "dns: [{name: a}]\n", `:1:8: dns[0].servers: name at least one server`},
		{"resolver without a name", "dns:\n  - servers: [10.0.0.53]\n", `:2:5: dns[0].name: ""`},
		{"resolver twice", "dns:\n  - {name: a, servers: [10.0.0.53]}\n  - {name: a, servers: [10.0.0.53]}\n", `:3:12: dns[1].name: "a" is empty or used twice`},
		{"name server by name", "dns: [{name: a, servers: [10.0.0.53, ns.test]}]\n", `:1:38: dns[0].servers[1]: "ns.test" is not the address of a name server`},
		{"times to live", "dns: [{name: a, servers: [10.0.0.53], minTTL: 10s, maxTTL: 5s}]\n", `:1:60: dns[0].maxTTL: 5s is below minTTL 10s`},
		{"a shortest time above the usual longest", "dns: [{name: a, servers: [10.0.0.53], minTTL: 10m}]\n", `:1:8: dns[0].maxTTL: the default 5m0s is below minTTL 10m0s`},
		{"rule without a namespace", "names: {rule: \"{{service}}.a.test\", cname: edge.test, webhook: {url: \"http://a.test/\"}}\n", `:1:15: names.rule: "{{service}}.a.test": every service needs a name of its own`},
		{"no announcer", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  cname: edge.test\n", `:2:3: names: give exactly one of rfc2136 and webhook`},
		{"two kinds of target", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  cname: edge.test\n  addresses: [192.0.2.1]\n  webhook: {url: \"http://a.test/\"}\n", `:4:14: names.addresses: give the addresses of the edge, or a cname, and not both`},
		{"an address that is none", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  addresses: [192.0.2.1, edge]\n  webhook: {url: \"http://a.test/\"}\n", `:3:26: names.addresses[1]: "edge" is not an IP address`},
		{"another zone", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  cname: edge.test\n  rfc2136: {server: 10.0.0.53, zone: b.test}\n", `:4:38: names.rfc2136.zone: the names of the rule are not in zone "b.test"`},
		{"a webhook without a host", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  cname: edge.test\n  webhook: {url: names}\n", `:4:18: names.webhook.url: "names" is not a URL`},
		{"a key without its file", "names:\n  rule: \"{{service}}.{{namespace}}.a.test\"\n  cname: edge.test\n  rfc2136: {server: 10.0.0.53, zone: a.test, tsig: {name: k, algorithm: md5, secretFile: /none}}\n", `:4:73: names.rfc2136.tsig.algorithm: "md5" is not known`},
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
