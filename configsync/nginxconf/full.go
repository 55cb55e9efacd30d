package nginxconf

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// What a node's own nginx.conf may say in a fleet whose nginx.conf is rendered: how nginx runs
// on the machine, and defaults that no route has a field for. Everything about hosts, routes
// and upstreams comes from Sluice.
var (
	mainNames = []string{"user", "worker_processes", "worker_cpu_affinity", "worker_priority", "worker_rlimit_nofile", "worker_rlimit_core", "worker_shutdown_timeout",
		"working_directory", "pid", "lock_file", "error_log", "daemon", "pcre_jit", "thread_pool", "timer_resolution", "env", "load_module", "include"}
	eventsNames = []string{"worker_connections", "use", "multi_accept", "accept_mutex", "accept_mutex_delay", "worker_aio_requests", "debug_connection"}
	httpNames   = []string{"include", "default_type", "sendfile", "sendfile_max_chunk", "tcp_nopush", "tcp_nodelay", "keepalive_timeout", "keepalive_requests", "reset_timedout_connection",
		"types_hash_max_size", "types_hash_bucket_size", "server_names_hash_max_size", "variables_hash_max_size", "variables_hash_bucket_size", "server_tokens",
		"ssl_protocols", "ssl_ciphers", "ssl_prefer_server_ciphers", "ssl_session_cache", "ssl_session_timeout", "ssl_session_tickets", "ssl_dhparam", "ssl_ecdh_curve",
		"gzip", "gzip_vary", "gzip_proxied", "gzip_comp_level", "gzip_buffers", "gzip_http_version", "gzip_types", "gzip_min_length",
		"log_format", "access_log", "open_log_file_cache", "open_file_cache", "resolver", "resolver_timeout", "client_header_timeout", "client_body_timeout", "send_timeout",
		"client_header_buffer_size", "large_client_header_buffers", "client_body_buffer_size", "aio", "directio",
		"client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path"}
)

// NodeMain picks out of a node's nginx.conf what a rendered one repeats, and names what it
// leaves out.
func NodeMain(c *Config) (m gateway.NodeMain, left []string) {
	for _, d := range c.Directives {
		switch name := d.Name(); {
		case name == "events" && d.Block != nil:
			m.Events = pick(d.Block.Directives, eventsNames, &left)
		case name == "http" && d.Block != nil:
			m.HTTP = pick(d.Block.Directives, httpNames, &left)
		default:
			m.Main = append(m.Main, pick([]*Directive{d}, mainNames, &left)...)
		}
	}
	slices.Sort(left)
	return m, slices.Compact(left)
}

func pick(list []*Directive, names []string, left *[]string) (out [][]string) {
	for _, d := range list {
		words := append([]string{d.Name()}, d.Args()...)
		if d.Block == nil && mayRepeat(words, names) {
			out = append(out, words)
		} else {
			*left = append(*left, strings.Join(words, " "))
		}
	}
	return out
}

// mayRepeat refuses includes inside of http apart from the one of types: what else is there
// would be servers.
func mayRepeat(words, names []string) bool {
	if words[0] == "include" && !slices.Contains(names, "load_module") {
		return len(words) == 2 && path.Base(words[1]) == "mime.types"
	}
	return slices.Contains(names, words[0])
}

// main writes nginx.conf itself for a fleet whose mode is full.
func (r *renderer) main() {
	fleet := r.fleetObject()
	if fleet == nil {
		return
	}
	ref, timeout := gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet}, fleet.Spec.WorkerShutdownTimeout
	switch mode := cmp.Or(fleet.Spec.Mode, gateway.FleetModeInclude); {
	case mode != gateway.FleetModeFull && mode != gateway.FleetModeInclude:
		r.problem(ref, "spec.mode", "invalid", "%q is no mode: write include or full", mode)
		return
	case mode == gateway.FleetModeInclude && timeout > 0:
		r.problem(ref, "spec.workerShutdownTimeout", "not_portable",
			"nginx takes worker_shutdown_timeout only outside of http, where a fleet of mode include has nothing: write it into the nodes' nginx.conf, or use mode full")
		return
	case mode == gateway.FleetModeInclude || r.facts.Main == nil:
		return // a node that has not said how its nginx runs keeps its nginx.conf
	}
	w := newWriter(MainFile, ref)
	w.comment("Rendered by Sluice, the node's own nginx.conf is kept in the agent's folder.")
	r.mainBlock(w, timeout)
	r.add(w)
}

func (r *renderer) fleetObject() *gateway.Fleet {
	i := slices.IndexFunc(r.snapshot.Fleets, func(f *gateway.Fleet) bool { return f.Name == r.fleet })
	if i < 0 {
		return nil
	}
	return r.snapshot.Fleets[i]
}

func (r *renderer) mainBlock(w *writer, timeout gateway.Duration) {
	m := *r.facts.Main
	if timeout > 0 {
		m.Main = slices.DeleteFunc(slices.Clone(m.Main), func(words []string) bool { return len(words) > 0 && words[0] == "worker_shutdown_timeout" })
	}
	repeat(w, m.Main, mainNames)
	if timeout > 0 {
		w.stmt("worker_shutdown_timeout", nginxTime(timeout, 0))
	}
	w.put("")
	w.open("events")
	repeat(w, m.Events, eventsNames)
	w.close()
	w.put("")
	w.open("http")
	repeat(w, m.HTTP, httpNames)
	w.stmt("include", path.Join(r.facts.TreePath, Include))
	w.close()
}

// repeat writes directives of the node. The agent has picked them, and yet a name outside of
// the list is not written: facts come over the network.
func repeat(w *writer, list [][]string, names []string) {
	for _, words := range list {
		if len(words) > 0 && mayRepeat(words, names) && !strings.ContainsRune(strings.Join(words, ""), 0) {
			w.stmt(words...)
		}
	}
}
