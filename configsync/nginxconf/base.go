package nginxconf

import (
	"math/bits"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// digestPlace stands where the digest goes, while the digest is computed.
const digestPlace = `return 200 "\n";`

func digestText(digest string) string { return `return 200 "` + digest + `\n";` }

// common writes what belongs to no single host or upstream.
func (r *renderer) common(hosts []*gateway.Host) {
	reserved, longest, catchAll := r.reserved(hosts), 0, false
	for _, h := range hosts {
		switch {
		case !r.tenants[h.Tenant]:
		case h.Name == "*":
			catchAll = true
		case validHost(h.Name):
			longest = max(longest, len(h.Name))
		}
	}
	for _, name := range reserved {
		longest = max(longest, len(name))
	}
	r.base(longest, catchAll)
	r.digest()
	if len(reserved) > 0 {
		r.reserve(reserved)
	}
}

// base writes what every server relies on. longest is the longest name in server_name, for
// the size of nginx's hash buckets; catchAll says that a tenant of the fleet claims "*".
func (r *renderer) base(longest int, catchAll bool) {
	w := newWriter("base/common.conf", gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet})
	w.comment("Rendered by Sluice. An edit by hand is reported as drift.")
	w.put("")
	w.comment("Connection towards an upstream: upgrade when the client asks for it, else kept alive.")
	w.open("map", "$http_upgrade", "$sluice_connection")
	w.stmt("default", "upgrade")
	w.stmt("", "")
	w.close()
	w.put("")
	w.comment("RFC 7239 section 6: an IPv6 address stands in brackets and quotes.")
	w.open("map", "$remote_addr", "$sluice_forwarded_for")
	w.stmt("default", "unknown")
	w.stmt(`~^[0-9.]+$`, "$remote_addr")
	w.stmt(`~^[0-9A-Fa-f:.]+$`, `"[$remote_addr]"`)
	w.close()
	w.put("")
	w.comment("Who is asked for, where it is known; servers and locations set it.")
	for _, name := range []string{"$sluice_tenant", "$sluice_route", "$sluice_upstream"} {
		w.open("map", "", name)
		w.stmt("default", "")
		w.close()
	}
	w.put("")
	w.comment("To use it: access_log /var/log/nginx/access.log sluice;")
	r.logFormat(w)
	r.outcomes(w)
	if size := bucketSize(longest); size > 64 {
		w.put("")
		w.stmt("server_names_hash_bucket_size", itoa(size))
	}
	if !catchAll {
		w.put("")
		w.comment("A host that nobody claims.")
		w.open("server")
		for _, l := range r.facts.Listen {
			w.stmt("listen", l, "default_server")
		}
		w.stmt("server_name", "_")
		r.serverLimits(w)
		w.stmt("return", "404")
		w.close()
	}
	if r.speaksTLS() {
		r.refuseNames(w)
	}
	r.add(w)
}

// refuseNames ends handshakes for names that no certificate is good for, as the Go edge does.
func (r *renderer) refuseNames(w *writer) {
	w.put("")
	w.comment("A name that no certificate is good for.")
	w.open("server")
	r.listenTLS(w, "default_server")
	w.stmt("server_name", "_")
	r.serverLimits(w)
	w.stmt("ssl_protocols", "TLSv1.2", "TLSv1.3")
	if r.atLeast("1.19.4") {
		w.stmt("ssl_reject_handshake", "on")
		w.stmt("return", "421") // to a request for another name than that of its handshake
	} else {
		// This nginx has to show some certificate: one that no client trusts.
		w.stmt("ssl_certificate", r.inTree(nobodyStem+".crt"))
		w.stmt("ssl_certificate_key", r.inTree(nobodyStem+".key"))
		w.stmt("return", "444")
		r.nobody()
	}
	w.close()
}

func (r *renderer) logFormat(w *writer) {
	fields := []string{"time", "$time_iso8601", "remote", "$remote_addr", "host", "$host", "method", "$request_method", "uri", "$request_uri",
		"status", "$status", "bytes", "$body_bytes_sent", "seconds", "$request_time", "tenant", "$sluice_tenant", "route", "$sluice_route",
		"upstream", "$sluice_upstream", "endpoint", "$upstream_addr", "upstreamStatus", "$upstream_status",
		"connectSeconds", "$upstream_connect_time", "headSeconds", "$upstream_header_time", "upstreamSeconds", "$upstream_response_time"}
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString(`,"` + fields[i] + `":"` + fields[i+1] + `"`)
	}
	w.put(`log_format sluice escape=json '{` + b.String()[1:] + `}';`)
}

// digest writes the server that tells which bundle a worker runs.
func (r *renderer) digest() {
	w := newWriter(DigestFile, gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet})
	w.comment("Tells the agent which bundle a worker runs.")
	w.open("server")
	w.stmt("listen", r.facts.DigestListen)
	w.stmt("server_name", "sluice")
	w.stmt("access_log", "off")
	w.open("location", "=", "/digest")
	w.stmt("default_type", "text/plain")
	w.put(digestPlace)
	w.close()
	w.open("location", "/")
	w.stmt("return", "404")
	w.close()
	w.close()
	r.add(w)
}

// bucketSize is the smallest power of two that nginx accepts for a name of n bytes:
// NGX_HASH_ELT_SIZE plus the pointer that ends a bucket. nginx's own default, a cache line
// of 64 bytes, is left alone when it is enough.
func bucketSize(n int) int {
	need := 8 + (n+2+7)/8*8 + 8
	return max(64, 1<<bits.Len(uint(need-1)))
}
