package nginxconf

import (
	"slices"
	"strings"
)

// The most that one override may hold. Real ones have a handful of lines.
const (
	maxOverride   = 16 << 10
	maxDirectives = 100
)

// shape is what the arguments of a directive have to look like.
type shape func(args []string) (why string)

// allowed are the directives that an override may use at all, when a Policy lists them. What
// is not here is refused whatever a policy says, so that nobody has to know every directive
// of every module: nothing here reads or writes a file, runs code, opens a connection,
// declares something for other tenants, or takes away what Sluice itself relies on.
var allowed = map[string]shape{
	// Towards the upstream.
	"proxy_buffering": plain(1, 1), "proxy_buffer_size": plain(1, 1), "proxy_buffers": plain(2, 2), "proxy_busy_buffers_size": plain(1, 1),
	"proxy_connect_timeout": plain(1, 1), "proxy_read_timeout": plain(1, 1), "proxy_send_timeout": plain(1, 1),
	"proxy_next_upstream": plain(1, 12), "proxy_next_upstream_timeout": plain(1, 1), "proxy_next_upstream_tries": plain(1, 1),
	"proxy_http_version": plain(1, 1), "proxy_ignore_client_abort": plain(1, 1), "proxy_ignore_headers": plain(1, 9), "proxy_intercept_errors": plain(1, 1),
	"proxy_limit_rate": plain(1, 1), "proxy_max_temp_file_size": plain(1, 1), "proxy_pass_request_body": plain(1, 1), "proxy_pass_request_headers": plain(1, 1),
	"proxy_request_buffering": plain(1, 1), "proxy_socket_keepalive": plain(1, 1), "proxy_force_ranges": plain(1, 1), "proxy_temp_file_write_size": plain(1, 1),
	"proxy_hide_header": headerName(1), "proxy_pass_header": headerName(1), "proxy_set_header": header(2, 2),
	"proxy_cookie_domain": text(1, 2), "proxy_cookie_flags": text(1, 9), "proxy_cookie_path": text(1, 2), "proxy_redirect": text(1, 2),
	"grpc_buffer_size": plain(1, 1), "grpc_connect_timeout": plain(1, 1), "grpc_read_timeout": plain(1, 1), "grpc_send_timeout": plain(1, 1),
	"grpc_next_upstream": plain(1, 12), "grpc_next_upstream_timeout": plain(1, 1), "grpc_next_upstream_tries": plain(1, 1), "grpc_socket_keepalive": plain(1, 1),
	"grpc_hide_header": headerName(1), "grpc_pass_header": headerName(1), "grpc_set_header": header(2, 2),
	// Towards the client.
	"add_header": header(2, 3), "add_trailer": header(2, 3), "expires": text(1, 2), "etag": plain(1, 1), "if_modified_since": plain(1, 1), "max_ranges": plain(1, 1),
	"client_max_body_size": plain(1, 1), "client_body_buffer_size": plain(1, 1), "client_body_timeout": plain(1, 1), "send_timeout": plain(1, 1),
	"keepalive_disable": plain(1, 2), "keepalive_requests": plain(1, 1), "keepalive_time": plain(1, 1), "keepalive_timeout": plain(1, 2),
	"lingering_close": plain(1, 1), "lingering_time": plain(1, 1), "lingering_timeout": plain(1, 1), "reset_timedout_connection": plain(1, 1),
	"tcp_nodelay": plain(1, 1), "tcp_nopush": plain(1, 1), "postpone_output": plain(1, 1), "chunked_transfer_encoding": plain(1, 1), "server_tokens": plain(1, 1),
	"limit_rate": plain(1, 1), "limit_rate_after": plain(1, 1), "default_type": text(1, 1), "charset": plain(1, 1), "override_charset": plain(1, 1),
	"gzip": plain(1, 1), "gzip_buffers": plain(2, 2), "gzip_comp_level": plain(1, 1), "gzip_http_version": plain(1, 1), "gzip_min_length": plain(1, 1),
	"gzip_proxied": plain(1, 9), "gzip_types": plain(1, 50), "gzip_vary": plain(1, 1), "gunzip": plain(1, 1), "gunzip_buffers": plain(2, 2),
	"brotli": plain(1, 1), "brotli_comp_level": plain(1, 1), "brotli_min_length": plain(1, 1), "brotli_types": plain(1, 50),
	// Who may ask, and what is answered without the upstream.
	"allow": plain(1, 1), "deny": plain(1, 1), "log_not_found": plain(1, 1),
	"error_page": errorPage, "return": answer, "rewrite": rewrite, "set": setVariable, "break": plain(0, 0),
}

// refusalOf says why a directive of an override is not used, whatever policies list, or
// returns "".
func refusalOf(d *Directive) (code, why string) {
	name := d.Name()
	check, ok := allowed[name]
	switch {
	case d.Block != nil:
		return "nginx_block", "the block \"" + printable(name) + " {...}\" is left out: an override holds single directives only, so take the block out"
	case !ok:
		return "nginx_directive_forbidden", "\"" + printable(name) + "\" is left out: it is never accepted from an override, so take it out"
	}
	for _, w := range d.Words {
		if why := badWord(w.Value); why != "" {
			return "nginx_value", "\"" + name + "\" is left out: " + why
		}
	}
	if why := check(d.Args()); why != "" {
		return "nginx_value", "\"" + name + "\" is left out: " + why
	}
	return "", ""
}

// plain takes words without variables and quotes: numbers, sizes, names.
func plain(least, most int) shape {
	return func(args []string) string {
		if why := count(args, least, most); why != "" {
			return why
		}
		for _, a := range args {
			if a == "" || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,:=*/+-") != "" {
				return "the value \"" + printable(a) + "\" may hold letters, digits and the characters _ . , : = * / + - only"
			}
		}
		return ""
	}
}

// text takes any words, with the variables that an override may use.
func text(least, most int) shape {
	return func(args []string) string {
		if why := count(args, least, most); why != "" {
			return why
		}
		return variables(args...)
	}
}

// header takes a header's name and what it says.
func header(least, most int) shape {
	return func(args []string) string {
		if why := count(args, least, most); why != "" {
			return why
		}
		if why := headerNameOf(args[0]); why != "" {
			return why
		}
		return variables(args[1:]...)
	}
}

func headerName(n int) shape {
	return func(args []string) string {
		if why := count(args, n, n); why != "" {
			return why
		}
		return headerNameOf(args[0])
	}
}

// headerNameOf accepts the names that RFC 9110 section 5.1 knows, but for those that say
// where a message ends (RFC 9112 section 6).
func headerNameOf(name string) string {
	if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return "\"" + printable(name) + "\" is not the name of a header: use letters, digits, - and _"
	}
	if slices.Contains([]string{"transfer-encoding", "content-length", "te", "trailer", "keep-alive", "proxy-connection", "proxy"}, strings.ToLower(name)) {
		return "the header " + printable(name) + " is nginx's own business: it says where a message ends, or how a connection is used"
	}
	return ""
}

// errorPage takes codes and a path of the same host.
func errorPage(args []string) string {
	if len(args) < 2 {
		return "write codes and a path, such as 502 503 /sorry.html"
	}
	codes, page := args[:len(args)-1], args[len(args)-1]
	if why := plain(1, 30)(codes); why != "" {
		return why
	}
	if !strings.HasPrefix(page, "/") || strings.HasPrefix(page, "//") {
		return "\"" + printable(page) + "\" is not a path of the same host: begin it with one \"/\""
	}
	return variables(page)
}

// answer takes "return CODE", "return CODE TEXT" and "return URL".
func answer(args []string) string {
	if why := count(args, 1, 2); why != "" {
		return why
	}
	return variables(args...)
}

// rewrite takes a pattern, what to put in its place and a flag.
func rewrite(args []string) string {
	if why := count(args, 2, 3); why != "" {
		return why
	}
	if len(args) == 3 && !slices.Contains([]string{"last", "break", "redirect", "permanent"}, args[2]) {
		return "the flag is one of last, break, redirect and permanent"
	}
	return variables(args[1])
}

// ownPrefix begins the names of variables that overrides may set.
const ownPrefix = "my_"

// setVariable takes a variable of the tenants' own: names are shared by the whole nginx.
func setVariable(args []string) string {
	if why := count(args, 2, 2); why != "" {
		return why
	}
	name, ok := strings.CutPrefix(args[0], "$"+ownPrefix)
	if !ok || name == "" || len(name) > 30 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "\"" + printable(args[0]) + "\" can't be set: choose a name such as $" + ownPrefix + "name, with small letters, digits and _"
	}
	return variables(args[1])
}

func count(args []string, least, most int) string {
	if len(args) < least || len(args) > most {
		return "it takes " + itoa(least) + " to " + itoa(most) + " values, and has " + itoa(len(args))
	}
	return ""
}
