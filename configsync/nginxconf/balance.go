package nginxconf

import (
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// balancing is how an upstream chooses among its endpoints.
type balancing struct {
	policy  string
	on      string // what of a request is hashed: "uri", "ip", "header" or "cookie"
	name    string // of the header or the cookie
	maxLoad int    // percent of its share at which an endpoint passes keys on
}

func balancingOf(b gateway.Balance) balancing {
	return balancing{policy: b.Policy, on: b.On, name: b.Name, maxLoad: b.MaxLoadPercent}
}

// balance writes what the upstream's method needs outside of its block, and returns the
// method: none is round robin.
func (r *renderer) balance(w *writer, u *gateway.EffectiveUpstream, backups bool) []string {
	b := balancingOf(u.Balance)
	method, module, why := b.method(u.Key)
	switch {
	case method != nil && !r.has(module):
		method, why = nil, "the nginx of these nodes lacks the module "+strings.TrimSuffix(module, "_module")+", so endpoints take turns"
	case backups && (b.policy == "random" || b.policy == "p2c_ewma" || b.policy == "hash"):
		method, why = nil, "nginx has no endpoints in reserve with it, and the upstream has several priorities, so endpoints take turns"
	}
	if why != "" {
		r.notPortable(u, "spec.balance", "Policy %s is another one on nginx nodes: %s", printable(b.policy), why)
	}
	if method != nil && (b.on == "header" || b.on == "cookie") && b.policy == "hash" {
		source, missing := b.source()
		w.open("map", source, method[1])
		w.stmt("", missing)
		w.stmt("default", source)
		w.close()
	}
	return method
}

// method are the words of the directive, the module that has it, and what is not the same.
func (b balancing) method(key gateway.UpstreamKey) (words []string, module, why string) {
	switch b.policy {
	case "", "round_robin":
		return nil, "", ""
	case "least_request":
		return []string{"least_conn"}, "http_upstream_least_conn_module", ""
	case "random":
		return []string{"random"}, "http_upstream_random_module", ""
	case "p2c_ewma":
		return []string{"random", "two", "least_conn"}, "http_upstream_random_module",
			"nginx does not know who was faster, and takes of two that it draws the one with fewer connections"
	case "hash":
		if b.maxLoad > 0 {
			why = "nginx has no bound of load for it, so a key keeps its endpoint"
		}
		source, _ := b.source()
		switch {
		case source == "":
			return nil, "", "the name can't be part of a variable of nginx, so endpoints take turns"
		case b.on == "header" || b.on == "cookie":
			source = variable("sluice_key_", key.Tenant, key.Name)
		}
		return []string{"hash", source, "consistent"}, "http_upstream_hash_module", why
	}
	return nil, "", "it is not known, so endpoints take turns"
}

// source is the variable that holds what is hashed, and what counts where it is missing. It is
// empty where nginx has none.
func (b balancing) source() (variable, missing string) {
	name := strings.ReplaceAll(strings.ToLower(b.name), "-", "_")
	plain := name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
	switch {
	case b.on == "ip":
		return "$remote_addr", ""
	case b.on == "header" && plain:
		return "$http_" + name, "$uri"
	case b.on == "cookie" && plain && !strings.Contains(b.name, "-"):
		return "$cookie_" + b.name, "$remote_addr"
	case b.on == "header", b.on == "cookie":
		return "", ""
	}
	return "$uri", ""
}
