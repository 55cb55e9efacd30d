package gateway_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-gateway/sluice/gateway"
)

func TestHeaderEdits(t *testing.T) {
	type headers = map[string]string
	many := headers{}
	for _, c := range "abcdefghij" {
		many[string(c)] = strings.Repeat("v", 1000)
	}
	for name, c := range map[string]struct {
		edit     gateway.HeaderEdit
		want     *gateway.HeaderEdit
		problems []string
	}{
		"names in any case": {edit: gateway.HeaderEdit{Set: headers{"X-From": "edge $1; \"x\""}, Add: headers{"VIA": "a"}, Remove: []string{"X-Debug", "a"}},
			want: &gateway.HeaderEdit{Set: headers{"x-from": "edge $1; \"x\""}, Add: headers{"via": "a"}, Remove: []string{"a", "x-debug"}}},
		"nothing":         {problems: []string{" header_missing"}},
		"only bad ones":   {edit: gateway.HeaderEdit{Remove: []string{"a b"}}, problems: []string{".remove[0] header_invalid"}},
		"twice":           {edit: gateway.HeaderEdit{Set: headers{"A": "1"}, Add: headers{"a": "2"}, Remove: []string{"a"}}, want: &gateway.HeaderEdit{Set: headers{"a": "1"}}, problems: []string{".add header_twice", ".remove[0] header_twice"}},
		"added to one":    {edit: gateway.HeaderEdit{Add: headers{"Content-Type": "a/b", "x": "y"}}, want: &gateway.HeaderEdit{Add: headers{"x": "y"}}, problems: []string{".add header_single"}},
		"without a value": {edit: gateway.HeaderEdit{Set: headers{"x": "", "y": "1"}}, want: &gateway.HeaderEdit{Set: headers{"y": "1"}}, problems: []string{".set header_invalid"}},
		"too many of them": {edit: gateway.HeaderEdit{Set: many}, want: &gateway.HeaderEdit{Set: func() headers {
			m := headers{}
			for _, c := range "abcdefgh" {
				m[string(c)] = many["a"]
			}
			return m
		}()}, problems: []string{".set headers_too_large", ".set headers_too_large"}},
	} {
		for _, kind := range []string{"requestHeaders", "responseHeaders"} {
			t.Run(name+" in "+kind, func(t *testing.T) {
				f := gateway.Filter{RequestHeaders: &c.edit}
				if kind == "responseHeaders" {
					f = gateway.Filter{ResponseHeaders: &c.edit}
				}
				s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: []gateway.Filter{f}})
				var want []string
				for _, p := range c.problems {
					want = append(want, "spec.filters[0]."+kind+p)
				}
				if got := fieldCodes(s); !slices.Equal(got, want) {
					t.Errorf("problems %q, want %q", got, want)
				}
				r := s.Hosts[0].Rules[0].Route
				got := r.RequestHeaders
				if kind == "responseHeaders" {
					got = r.ResponseHeaders
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// No edit touches framing, the connection, or what an edge alone may say of a client.
func TestHeaderEditsRefuse(t *testing.T) {
	both := []string{"Content-Length", "transfer-encoding", "Connection", "TE", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection", "Date", "HTTP2-Settings", "Sec-WebSocket-Key", "x y", "", "x:", "x\r\ny", "é", "Proxy-Authorization"}
	request := []string{"Host", "X-Forwarded-For", "x-forwarded-anything", "X_Forwarded_For", "Forwarded", "X-Real-IP", "Proxy", "Expect", "X-Original-URL", "X_Rewrite_URL", "Content_Length"}
	for _, name := range append(both, request...) {
		for _, e := range []gateway.HeaderEdit{{Set: map[string]string{name: "a"}}, {Add: map[string]string{name: "a"}}, {Remove: []string{name}}} {
			refused := func(f gateway.Filter) bool {
				s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: []gateway.Filter{f}})
				r := s.Hosts[0].Rules[0].Route
				return len(s.Problems) == 1 && s.Problems[0].Code == "header_invalid" && r.RequestHeaders == nil && r.ResponseHeaders == nil
			}
			if !refused(gateway.Filter{RequestHeaders: &e}) {
				t.Errorf("request: %+v is taken", e)
			}
			if got, want := refused(gateway.Filter{ResponseHeaders: &e}), slices.Contains(both, name); got != want {
				t.Errorf("response: %+v refused: %v", e, got)
			}
		}
	}
	for _, value := range []string{"a\r\nset-cookie: b", "a\nb", "a\x00", " a", "a\t", "\u00e9", "\x7f"} {
		s := withRoute(gateway.RouteSpec{To: []gateway.RouteTarget{{Upstream: "api"}}, Filters: []gateway.Filter{{RequestHeaders: &gateway.HeaderEdit{Set: map[string]string{"x": value}}}}})
		if got := fieldCodes(s); !slices.Equal(got, []string{"spec.filters[0].requestHeaders.set header_invalid"}) || s.Hosts[0].Rules[0].Route.RequestHeaders != nil {
			t.Errorf("%q gives %q", value, got)
		}
	}
}
