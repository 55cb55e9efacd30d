package nginxconf

import "strings"

// This file is the table of what order means to nginx. Directives of one class are compared
// in their order; classes do not mind each other, and the empty class minds no order at all.

// free are directives that may stand several times in a block, in any order.
var free = map[string]bool{
	"access_log": true, "env": true, "error_log": true, "limit_conn": true, "limit_conn_zone": true, "limit_req": true, "limit_req_zone": true,
	"listen": true, "log_format": true, "lua_shared_dict": true, "mirror": true, "proxy_cache_path": true, "proxy_hide_header": true,
	"proxy_ignore_headers": true, "proxy_pass_header": true, "set_real_ip_from": true, "upstream": true, "map": true, "geo": true,
	"split_clients": true, "types": true, "gzip_types": true, "fastcgi_cache_path": true,
}

// classes are directives whose order among each other counts.
var classes = map[string]string{
	// The rewrite module runs them one after the other.
	"rewrite": "script", "set": "script", "if": "script", "return": "script", "break": "script", "auth_request_set": "script",
	// The first match decides.
	"allow": "access", "deny": "access",
	// The first server of an address answers what no name matches, and of two regular
	// expressions the first one counts.
	"server": "server",
	// The nth key belongs to the nth certificate.
	"ssl_certificate": "certificate", "ssl_certificate_key": "certificate",
	// A module may need another one.
	"load_module": "module",
}

// byField are directives about a header or parameter: order counts between those of the same
// one only (RFC 9110, section 5.3). What is not named here keeps the order among directives
// of the same name, which is right for all that match one after the other.
var byField = map[string]bool{
	"add_header": true, "add_trailer": true, "proxy_set_header": true, "grpc_set_header": true, "fastcgi_param": true, "uwsgi_param": true,
	"scgi_param": true, "error_page": true,
}

// orderClass is the class of a directive in the block of parent (nil: the file), or "".
func orderClass(parent, d *Directive) string {
	name, context := d.Name(), ""
	if parent != nil {
		context = parent.Name()
	}
	switch context {
	case "upstream":
		return upstreamClass(parent, name)
	case "split_clients":
		return "parts" // the ranges follow each other
	case "map":
		if strings.HasPrefix(name, "~") {
			return "regex" // the first match decides
		}
		return ""
	case "geo", "types", "charset_map":
		return ""
	}
	switch {
	case name == "location":
		return locationClass(d)
	case free[name]:
		return ""
	case classes[name] != "":
		return classes[name]
	case byField[name] && len(d.Words) > 1:
		return name + " " + strings.ToLower(d.Words[1].Value)
	case strings.HasPrefix(name, "set_"), strings.HasPrefix(name, "echo"), strings.HasPrefix(name, "more_"):
		return "script" // of modules that Debian and OpenResty bring
	}
	return name
}

// upstreamClass: round robin and its weights do not depend on the order of servers, and
// neither does consistent hashing; other hashing counts places.
func upstreamClass(parent *Directive, name string) string {
	if name != "server" {
		return name
	}
	for _, d := range parent.Block.Directives {
		switch d.Name() {
		case "ip_hash":
			return name
		case "hash":
			if args := d.Args(); len(args) < 2 || args[1] != "consistent" {
				return name
			}
		}
	}
	return ""
}

// locationClass: of regular expressions the first match wins, of all others the longest.
func locationClass(d *Directive) string {
	if len(d.Words) > 1 && strings.HasPrefix(d.Words[1].Value, "~") {
		return "regex"
	}
	return ""
}

// classesOf are the classes of a list of directives. An include may hold anything, so a
// list that has one is in one order, but for what never minds.
func classesOf(parent *Directive, list []*Directive, includes bool) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = orderClass(parent, d)
		if includes && out[i] != "" {
			out[i] = "all"
		}
	}
	return out
}

func hasInclude(list []*Directive) bool {
	for _, d := range list {
		if d.Name() == "include" {
			return true
		}
	}
	return false
}
