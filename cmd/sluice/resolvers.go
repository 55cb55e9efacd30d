package main

import (
	"fmt"
	"log/slog"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/discovery/dns"
)

// ResolverConfig is a set of name servers that upstreams may name in discover.dns.resolver.
type ResolverConfig struct {
	// Name of the resolver. "default" takes the place of /etc/resolv.conf.
	Name string `yaml:"name"`
	// Servers are asked in turn: 10.0.0.53, or 10.0.0.53:5353 where the port is not 53.
	Servers []string `yaml:"servers"`
	// Timeout of one question to one server. Default 2s.
	Timeout Duration `yaml:"timeout"`
	// MinTTL and MaxTTL bound how long an answer counts, whatever its zone says. Default 1s and
	// 5m. Lower MaxTTL where zones with long times to live move all the same.
	MinTTL Duration `yaml:"minTTL"`
	MaxTTL Duration `yaml:"maxTTL"`
}

func checkResolvers(list []ResolverConfig, bad func(format string, args ...any)) {
	names := map[string]bool{}
	for i, r := range list {
		if r.Name == "" || names[r.Name] {
			bad("dns[%d].name: %q is empty or used twice: give each resolver a name of its own", i, r.Name)
		}
		names[r.Name] = true
		if len(r.Servers) == 0 {
			bad("dns[%d].servers: name at least one server, such as 10.0.0.53; those of /etc/resolv.conf are the resolver \"default\" without being written here", i)
		}
		for j, s := range r.Servers {
			if _, err := dns.ServerAddress(s); err != nil {
				bad("dns[%d].servers[%d]: %w", i, j, err)
			}
		}
		if r.Timeout < 0 || r.MinTTL < 0 || r.MaxTTL < 0 {
			bad("dns[%d]: timeout, minTTL and maxTTL can't be negative", i)
		}
		if err := r.bounds(); err != nil {
			bad("dns[%d].maxTTL: %w", i, err)
		}
	}
}

func (r ResolverConfig) bounds() error {
	switch {
	case r.MaxTTL == 0 && r.MinTTL.Std() > dns.DefaultMaxTTL:
		return fmt.Errorf("the default %v is below minTTL %v: give both", dns.DefaultMaxTTL, r.MinTTL.Std())
	case r.MaxTTL != 0 && r.MaxTTL < r.MinTTL:
		return fmt.Errorf("%v is below minTTL %v", r.MaxTTL.Std(), r.MinTTL.Std())
	}
	return nil
}

// addResolvers adds the sources of the resolvers, and that of /etc/resolv.conf when nothing
// takes its place. The addresses have been checked.
func addResolvers(sources map[string]discovery.Source, list []ResolverConfig, log *slog.Logger) {
	add := func(cfg dns.Config) {
		cfg.Log = log
		s := dns.New(cfg)
		sources[s.Name()] = s
	}
	add(dns.Config{})
	for _, r := range list {
		cfg := dns.Config{Name: r.Name, Timeout: r.Timeout.Std(), MinTTL: r.MinTTL.Std(), MaxTTL: r.MaxTTL.Std()}
		for _, s := range r.Servers {
			address, _ := dns.ServerAddress(s)
			cfg.Servers = append(cfg.Servers, address)
		}
		add(cfg)
	}
}
