package nginximport

import (
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// place is the kind of block that a directive stands in.
type place int

const (
	inMain place = iota
	inServer
	inLocation
	inUpstream
)

func placeIn(s *statement, outside place) place {
	switch s.Name() {
	case "server":
		return inServer
	case "location":
		return inLocation
	case "upstream":
		return inUpstream
	}
	return outside
}

const (
	byHand     = "Settle it by hand"
	closedWhy  = "it may refuse requests, and can't be said in a Route, so the paths that it is about answer 503"
	closedDo   = "Write the routes by hand once it is clear who may ask"
	filesWhy   = "Sluice passes requests on, and serves no files and no FastCGI"
	filesDo    = "Put a server behind it that does, and make that an Upstream"
	stayServer = "it stands in a server, whose settings Sluice writes itself"
)

// reasons are why a directive has no words in the objects, and what to do, by its name.
var reasons = map[string][2]string{
	"stream":                      {"ports are not read by this import", "Write a Stream for each of its servers"},
	"mail":                        {"Sluice serves HTTP and TCP", "Keep the block in nginx.conf"},
	"sluice_hidden_secret":        {"the file holds a private key, or may be read by its owner only, so it was not uploaded", "Import with --from on the node if it is configuration"},
	"root":                        {filesWhy, filesDo},
	"alias":                       {filesWhy, filesDo},
	"index":                       {filesWhy, filesDo},
	"try_files":                   {filesWhy, filesDo},
	"autoindex":                   {filesWhy, filesDo},
	"fastcgi_pass":                {filesWhy, filesDo},
	"uwsgi_pass":                  {filesWhy, filesDo},
	"scgi_pass":                   {filesWhy, filesDo},
	"memcached_pass":              {filesWhy, filesDo},
	"auth_basic":                  {closedWhy, closedDo},
	"auth_basic_user_file":        {"it belongs to auth_basic", ""},
	"auth_request":                {closedWhy, closedDo},
	"satisfy":                     {closedWhy, closedDo},
	"ssl_verify_client":           {"client certificates belong to a Certificate", "Set spec.clientAuth of the Certificate of these hosts"},
	"ssl_client_certificate":      {"client certificates belong to a Certificate", "Set spec.clientAuth of the Certificate of these hosts"},
	"ssl_certificate":             {"certificates and their keys are never read", "Write a Certificate with the contents of this file and of its key"},
	"ssl_certificate_key":         {"certificates and their keys are never read", "Write a Certificate with the contents of the certificate and of this file"},
	"ssl_protocols":               {"Sluice's servers have TLS settings of their own", "See docs/tls.md"},
	"ssl_ciphers":                 {"Sluice's servers have TLS settings of their own", "See docs/tls.md"},
	"limit_req":                   {"its zone may count for others as well", "Write a rateLimit filter for the Route"},
	"limit_conn":                  {"its zone may count for others as well", "Write a connectionLimit filter for the Route"},
	"mirror":                      {"its location may do anything", "Write a mirror filter for the Route"},
	"access_log":                  {"Sluice's servers log as nginx.conf says", "Use the log format sluice in nginx.conf"},
	"error_log":                   {"Sluice's servers log as nginx.conf says", byHand},
	"proxy_cache":                 {"routes cache nothing", byHand},
	"if":                          {"conditions can't be said in a Route", "Write a Route for each case, or settle it by hand"},
	"location":                    {"paths of routes are exact or whole segments, and no patterns", "Write Routes for the paths that it takes; until then the other locations take them"},
	"sticky":                      {"sessions are not bound", "Use spec.balance {policy: hash, on: cookie}"},
	"set":                         {"routes have no variables", byHand},
	"proxy_ssl_certificate":       {"certificates and their keys are never read", "Write a Certificate and name it in spec.tls.certificate of the Upstream"},
	"grpc_ssl_certificate":        {"certificates and their keys are never read", "Write a Certificate and name it in spec.tls.certificate of the Upstream"},
	"proxy_ssl_certificate_key":   {"certificates and their keys are never read", "Write a Certificate and name it in spec.tls.certificate of the Upstream"},
	"grpc_ssl_certificate_key":    {"certificates and their keys are never read", "Write a Certificate and name it in spec.tls.certificate of the Upstream"},
	"proxy_ssl_crl":               {"lists of revoked certificates are not read", byHand},
	"large_client_header_buffers": {stayServer, byHand},
}

// reason says why nobody has translated a directive, and what to do.
func reason(s *statement, where place) (why, do string) {
	name := s.Name()
	if r, ok := reasons[name]; ok {
		return r[0], r[1]
	}
	switch {
	case strings.Contains(name, "_by_lua"), strings.HasPrefix(name, "perl"), strings.HasPrefix(name, "js_"):
		return "code in nginx can't be said in a Route", byHand
	case where == inLocation && filterFor(s) != "":
		return "the import writes no filters for headers", "Write " + filterFor(s) + " for the Route, or import with --overrides"
	case where == inLocation && nginxconf.Overridable(s.Directive) == "":
		return "only nginx knows it", "Import with --overrides, or write an Override of the route with nginx: '" + s.text() + ";' and list " + name + " in a Policy's nginxDirectives"
	case where == inServer && nginxconf.Overridable(s.Directive) == "":
		return stayServer, "Keep it in http of nginx.conf if it may hold for all, or write an Override of each route"
	case where == inServer:
		return stayServer, byHand
	case where == inUpstream:
		return "upstreams have no words for it", byHand
	}
	return "there are no words for it in the objects", byHand
}

// filterFor is the filter that says what a directive about a header does, or "" if none does.
func filterFor(s *statement) string {
	name, value := strings.ToLower(s.arg(0)), s.arg(1)
	if name == "" || strings.ContainsRune(name+value, '$') {
		return ""
	}
	switch s.Name() {
	case "proxy_set_header", "grpc_set_header":
		switch {
		case name == "host":
			return "the filter rewrite: {host: " + printable(value) + "}"
		case value == "":
			return "the filter requestHeaders: {remove: [" + printable(name) + "]}"
		}
		return "the filter requestHeaders: {set: {" + printable(name) + ": " + printable(strconv.Quote(value)) + "}}"
	case "proxy_hide_header", "grpc_hide_header":
		return "the filter responseHeaders: {remove: [" + printable(name) + "]}"
	case "add_header":
		if s.arg(2) != "always" {
			return "" // the filter is for all answers
		}
		return "the filter responseHeaders: {add: {" + printable(name) + ": " + printable(strconv.Quote(value)) + "}}"
	}
	return ""
}
