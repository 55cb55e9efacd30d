package nginxconf

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// namedGroup is a group of a pattern that sets a variable of its name; PCRE has three ways
// to write one. What looks behind, (?<= and (?<!, is something else.
var namedGroup = regexp.MustCompile(`\(\?(P?<[^=!]|P?'|P<)`)

// badWord says why a word may stand in no directive of an override, or returns "".
func badWord(value string) string {
	switch {
	case hasControl(value):
		return "a value holds a control character, such as a line end or a NUL byte: take it out"
	case !utf8.ValidString(value):
		return "a value is not UTF-8: write it anew"
	case len(Quote(value)) > maxParameter:
		return "a value is longer than " + itoa(maxParameter) + " bytes, which nginx does not read: shorten it"
	case namedGroup.MatchString(value):
		return "a pattern may not name its groups, since that sets variables: use $1 to $9"
	}
	return ""
}

// readable are the variables that overrides may read: what the client sent, what the
// upstream answered and how long it took. Not among them: what Sluice sets, where files and
// addresses are, client certificates, and passwords.
var readable = map[string]bool{
	"args": true, "binary_remote_addr": true, "body_bytes_sent": true, "bytes_sent": true, "connection": true, "connection_requests": true,
	"content_length": true, "content_type": true, "date_gmt": true, "date_local": true, "document_uri": true, "gzip_ratio": true, "host": true,
	"http2": true, "https": true, "is_args": true, "msec": true, "proxy_add_x_forwarded_for": true, "query_string": true, "remote_addr": true,
	"remote_port": true, "request": true, "request_completion": true, "request_id": true, "request_length": true, "request_method": true,
	"request_time": true, "request_uri": true, "scheme": true, "server_name": true, "server_port": true, "server_protocol": true,
	"ssl_cipher": true, "ssl_protocol": true, "ssl_server_name": true, "ssl_session_reused": true, "status": true, "time_iso8601": true,
	"time_local": true, "upstream_bytes_received": true, "upstream_bytes_sent": true, "upstream_cache_status": true, "upstream_connect_time": true,
	"upstream_header_time": true, "upstream_response_length": true, "upstream_response_time": true, "upstream_status": true, "uri": true,
}

// readablePrefixes begin the names of families of variables that may be read.
var readablePrefixes = []string{"arg_", "cookie_", "http_", "sent_http_", "sent_trailer_", "upstream_cookie_", "upstream_http_", "upstream_trailer_", ownPrefix}

// secretVariables would carry a client's passwords somewhere else.
var secretVariables = []string{"http_authorization", "http_proxy_authorization", "http_cookie"}

// variables says which variable of the values may not be read, or returns "".
func variables(values ...string) string {
	for _, v := range values {
		for {
			_, rest, found := strings.Cut(v, "$")
			if !found {
				break
			}
			name, after := variableName(rest)
			if name == "" {
				return "\"$\" has to begin a variable in \"" + printable(v) + "\": nginx can't write the character itself"
			}
			if !mayRead(name) {
				return "the variable $" + printable(name) + " may not be used in an override: take it out"
			}
			v = after
		}
	}
	return ""
}

// variableName reads a name as ngx_http_script_compile does: letters, digits and
// underscores, or anything in braces.
func variableName(s string) (name, after string) {
	if inner, ok := strings.CutPrefix(s, "{"); ok {
		name, after, ok = strings.Cut(inner, "}")
		if !ok {
			return "", ""
		}
		return name, after
	}
	end := strings.IndexFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_'
	})
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}

// mayRead knows names as nginx does, without regard to case.
func mayRead(name string) bool {
	name = strings.ToLower(name)
	switch {
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return false
	case len(name) == 1 && name >= "1" && name <= "9", readable[name]:
		return true
	}
	return !slices.Contains(secretVariables, name) && slices.ContainsFunc(readablePrefixes, func(p string) bool { return strings.HasPrefix(name, p) && name != p })
}
