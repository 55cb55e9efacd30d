package nginxconf

import "strings"

// idle says why a directive of an override would do nothing in this location, or returns "".
// nginx takes directives of proxy and of grpc anywhere, and heeds those of the module that
// passes the request on.
func (b *locationBody) idle(name string) string {
	module, rest, _ := strings.Cut(name, "_")
	if b.module == "" || module == b.module || module != "proxy" && module != "grpc" {
		return ""
	}
	advice := "nginx has no such directive for them, so take it out"
	if _, ok := allowed[b.module+"_"+rest]; ok {
		advice = "write \"" + b.module + "_" + rest + "\""
	}
	protocol := "HTTP/1.1"
	if b.module == "grpc" {
		protocol = "HTTP/2"
	}
	return "\"" + name + "\" is left out, since it would do nothing: requests of this route reach their endpoints by " + protocol + "; " + advice
}
