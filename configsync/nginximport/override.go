package nginximport

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// sentAnyway are headers that Sluice sends to endpoints by itself, with the values that mean
// the same.
var sentAnyway = map[string][]string{
	"host":              {"$http_host", "$host"},
	"connection":        {"", "$connection_upgrade", "$sluice_connection", "upgrade", "Upgrade"},
	"upgrade":           {"$http_upgrade"},
	"proxy":             {""},
	"proxy-connection":  {""},
	"x-forwarded-for":   {"$remote_addr"},
	"x-forwarded-proto": {"$scheme"},
	"x-forwarded-host":  {"$http_host", "$host"},
	"forwarded":         {"for=$sluice_forwarded_for;proto=$scheme"},
}

// sends says whether Sluice sends the header of a proxy_set_header by itself.
func sends(s *statement) bool {
	return slices.Contains(sentAnyway[strings.ToLower(s.arg(0))], s.arg(1))
}

// headers reads what is sent to endpoints. What Sluice sends anyway needs no words.
func (m *importer) headers(d *draft, sc scope) {
	host := false
	for _, s := range append(sc.all("proxy_set_header"), sc.all("grpc_set_header")...) {
		name := strings.ToLower(s.arg(0))
		host = host || name == "host"
		switch {
		case sends(s):
			say(s)
		case name == "x-forwarded-for" && s.arg(1) == "$proxy_add_x_forwarded_for":
			m.differs(s, "Sluice replaces what a client claims in this header instead of adding to it", "Use nginx's realip module, or trustedProxies, for a proxy in front")
		}
	}
	if !host && len(named(sc.inner(), "proxy_pass")) > 0 {
		m.note(Differs, named(sc.inner(), "proxy_pass")[0], "endpoints get the host that the client has asked for, and got the name in proxy_pass", "If they tell sites apart by it, write the filter rewrite: {host: NAME}")
	}
	if s := sc.one("proxy_http_version"); s != nil {
		say(s)
		if s.arg(0) != "1.1" && !s.own {
			m.differs(s, "endpoints are spoken to by HTTP/1.1", "")
		}
	}
	if s := sc.one("proxy_redirect"); s != nil && s.arg(0) == "off" {
		say(s)
	}
	for _, name := range []string{"proxy_socket_keepalive", "proxy_ssl_session_reuse"} {
		say(sc.one(name))
	}
}

// override brings what only nginx knows into nginx text of an Override, if that is wanted. What
// is in force in http is so for rendered servers, too.
func (m *importer) override(d *draft, sc scope) {
	if !m.options.Overrides {
		return
	}
	seen := map[string]bool{}
	for i := len(sc) - 1; i > 0; i-- {
		here := map[string]bool{}
		for _, s := range sc[i] {
			name := s.Name()
			taken := s.said && !m.allowed[name] || s.own || seen[name] || nginxconf.Overridable(s.Directive) != ""
			flow := i != len(sc)-1 && slices.Contains([]string{"rewrite", "return", "set", "break", "allow", "deny"}, name)
			if taken || flow || name == "server_name" {
				continue
			}
			here[name] = true
			say(s)
			m.allowed[name] = true
			d.overrides = append(d.overrides, directiveText(s))
		}
		for name := range here {
			seen[name] = true
		}
	}
}

// directiveText is a directive as an override has it.
func directiveText(s *statement) string {
	words := make([]string, len(s.Words))
	for i, w := range s.Words {
		words[i] = w.Raw
	}
	return strings.Join(words, " ") + ";"
}

// overrideObjects are the Overrides of the routes, and the Policy that allows what they hold.
func (m *importer) overrideObjects() (policy *gateway.Policy, list []gateway.Object) {
	for _, d := range m.drafts {
		if len(d.overrides) == 0 {
			continue
		}
		list = append(list, &gateway.Override{Meta: gateway.Meta{Kind: gateway.KindOverride, Tenant: m.options.Tenant, Name: d.name},
			Spec: gateway.OverrideSpec{Route: d.name, Nginx: strings.Join(d.overrides, "\n") + "\n", Reason: "imported from " + d.at.file}})
	}
	if len(list) == 0 {
		return nil, nil
	}
	policy = &gateway.Policy{Meta: gateway.Meta{Kind: gateway.KindPolicy, Name: m.options.Tenant + "-import"}}
	for name := range m.allowed {
		policy.Spec.NginxDirectives = append(policy.Spec.NginxDirectives, name)
	}
	slices.Sort(policy.Spec.NginxDirectives)
	return policy, list
}
