package main

import (
	"cmp"
	"net"
	"net/url"
	"strings"

	"github.com/sluice-gateway/sluice/discovery/etcd"
)

// check reports what is wrong with one registry, by the key that it is wrong with.
func (r RegistryConfig) check(bad func(key, format string, args ...any)) {
	if len(r.Endpoints) == 0 {
		bad("endpoints", "name at least one endpoint, such as https://10.0.0.1:2379")
	}
	secure := 0
	for i, e := range r.Endpoints {
		if !isEndpoint(e) {
			bad("endpoints", "endpoint %d, %q, is not a URL: write https://10.0.0.1:2379", i, e)
		}
		if strings.HasPrefix(e, "https://") {
			secure++
		}
	}
	switch {
	case secure > 0 && secure < len(r.Endpoints):
		bad("endpoints", "some are http and some are https: write all of them alike")
	case secure == 0 && r.CAFile+r.CertFile+r.KeyFile != "":
		bad("endpoints", "TLS files are given for plain http: write https://, or remove caFile, certFile and keyFile")
	}
	if (r.CertFile == "") != (r.KeyFile == "") {
		bad("certFile", "certFile and keyFile belong together: give both or none")
	}
	if (r.Username == "") != (r.PasswordFile == "") {
		bad("username", "username and passwordFile belong together: give both or none")
	}
	for i, p := range r.Prefixes {
		if strings.Trim(p, "/") == "" {
			bad("prefixes", "prefix %d, %q, is the whole etcd: name a folder such as /services/, or leave prefixes out", i, p)
		}
	}
}

// isEndpoint says whether e is a URL that a client of etcd can connect to.
func isEndpoint(e string) bool {
	u, err := url.Parse(e)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/")+u.RawQuery != "" {
		return false
	}
	_, err = net.LookupPort("tcp", cmp.Or(u.Port(), u.Scheme))
	return err == nil
}

// source follows the registry. Sluice's own keys are out of bounds everywhere: it may be the
// etcd that holds the store.
func (r RegistryConfig) source() etcd.Config {
	return etcd.Config{
		Name: r.Name, Prefixes: r.Prefixes, Reserved: []string{"/sluice/"},
		Registry: &etcd.Registry{Endpoints: r.Endpoints, CAFile: r.CAFile, CertFile: r.CertFile, KeyFile: r.KeyFile,
			Username: r.Username, PasswordFile: r.PasswordFile},
	}
}
