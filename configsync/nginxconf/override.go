package nginxconf

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/gateway"
)

// locationBody is the list of directives of a location while overrides change it.
type locationBody struct {
	owner  gateway.Ref // the route
	stmts  []ownedStmt
	module string // "proxy", "grpc", or empty when no request is passed on
	// guard is a variable that is empty when the chosen upstream has no endpoint.
	guard string
	// noTypes keeps nginx from choosing a Content-Type by the path's extension.
	noTypes bool
}

type ownedStmt struct {
	words []string
	owner gateway.Ref
}

func (b *locationBody) add(words ...string) {
	b.stmts = append(b.stmts, ownedStmt{words: words, owner: b.owner})
}

func (b *locationBody) write(w *writer) {
	headers := map[string]bool{}
	for _, s := range b.stmts {
		if s.words[0] == b.module+"_set_header" && len(s.words) > 1 {
			headers[strings.ToLower(s.words[1])] = true
		}
	}
	if b.guard != "" {
		w.put("if (" + b.guard + ` = "") {`)
		w.depth++
		w.stmt("return", "503")
		w.close()
	}
	if b.noTypes {
		w.open("types")
		w.close()
	}
	if len(headers) > 0 || b.module == "grpc" { // servers have those of proxy
		forwardHeaders(w, b.module, headers)
	}
	for _, s := range b.stmts {
		if s.owner != w.owner {
			w.owner = s.owner
			if s.owner != b.owner {
				w.comment(commentName(s.owner))
			}
		}
		w.stmt(s.words...)
	}
	w.owner = b.owner
}

// override adds the directives of the route's overrides, strongest last.
func (r *renderer) override(b *locationBody, route *gateway.EffectiveRoute) {
	for _, text := range route.Nginx {
		for _, d := range r.accepted(text) {
			if why := b.idle(d.Name()); why != "" {
				r.problem(text.Override, "spec.nginx", "nginx_no_effect", "Line %d: %s", d.Line(), why)
				continue
			}
			words := append([]string{d.Name()}, d.Args()...)
			b.set(ownedStmt{words: words, owner: text.Override})
		}
	}
}

// set puts a directive where it replaces what it contradicts: nginx refuses most directives
// when they stand twice in one block.
func (b *locationBody) set(s ownedStmt) {
	name := s.words[0]
	if !repeatable[name] {
		b.stmts = slices.DeleteFunc(b.stmts, func(o ownedStmt) bool { return o.words[0] == name })
	}
	if strings.HasSuffix(name, "_set_header") && len(s.words) > 1 {
		b.stmts = slices.DeleteFunc(b.stmts, func(o ownedStmt) bool {
			return o.words[0] == name && len(o.words) > 1 && strings.EqualFold(o.words[1], s.words[1])
		})
	}
	b.stmts = append(b.stmts, s)
}

// repeatable are directives that add up instead of replacing each other.
var repeatable = map[string]bool{
	"access_log": true, "add_header": true, "add_trailer": true, "allow": true, "auth_request_set": true, "deny": true,
	"error_log": true, "error_page": true, "grpc_set_header": true, "limit_conn": true, "limit_req": true,
	"proxy_cookie_domain": true, "proxy_cookie_flags": true, "proxy_cookie_path": true, "proxy_hide_header": true,
	"proxy_no_cache": true, "proxy_pass_header": true, "proxy_redirect": true, "proxy_set_header": true,
	"rewrite": true, "set": true, "sub_filter": true,
}

// accepted parses an override's text and returns the directives that may be used. The rest
// becomes Problems that name the line.
func (r *renderer) accepted(text gateway.NginxText) []*Directive {
	if len(text.Text) > maxOverride {
		r.problem(text.Override, "spec.nginx", "nginx_value", "Line 1: the text is longer than %d bytes. Nothing of it is used; shorten it", maxOverride)
		return nil
	}
	c, err := Parse("spec.nginx", text.Text)
	if err != nil {
		var at *SyntaxError
		if errors.As(err, &at) {
			r.problem(text.Override, "spec.nginx", "nginx_syntax", "Line %d, column %d: %s. Nothing of this text is used; write directives that end in \";\"", at.Line, at.Col, at.Message)
		}
		return nil
	}
	var list []*Directive
	for i, d := range c.Directives {
		if i == maxDirectives {
			r.problem(text.Override, "spec.nginx", "nginx_value", "Line %d: this directive and the ones after it are left out: an override holds at most %d", d.Line(), maxDirectives)
			break
		}
		if code, why := r.refusal(d); why != "" {
			r.problem(text.Override, "spec.nginx", code, "Line %d: %s", d.Line(), why)
			continue
		}
		list = append(list, d)
	}
	return list
}

// refusal says why a directive may not be used, or returns "".
func (r *renderer) refusal(d *Directive) (code, why string) {
	if code, why = refusalOf(d); why == "" && !slices.Contains(r.snapshot.NginxDirectives, d.Name()) {
		return "nginx_directive_not_allowed", "\"" + printable(d.Name()) + "\" is left out: no policy allows it, so take it out or ask an administrator to add it to a Policy's nginxDirectives"
	}
	return code, why
}

// printable makes a name safe to show: short and without control bytes.
func printable(name string) string {
	name = strings.Map(func(c rune) rune {
		if c < 0x20 || c == 0x7f || c == utf8.RuneError {
			return '?'
		}
		return c
	}, name)
	if len(name) > 60 {
		name = strings.ToValidUTF8(name[:60], "") + "..."
	}
	return name
}
