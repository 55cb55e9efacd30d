package nginxconf

import (
	_ "embed"
	"path"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// ModuleLua is the module of NodeFacts.Modules with which a node takes endpoint sets without a
// reload. Agents name it only where it works.
const ModuleLua = "http_lua_module"

// EndpointsStatic is the value of FleetSpec.Endpoints that keeps endpoints in the files.
const EndpointsStatic = "static"

// LuaFile is the file that stands in trees whose endpoint sets are pushed.
const LuaFile = "base/lua.conf"

//go:embed lua_balance.lua
var luaCode string

// LuaCode is what nginx runs on nodes with the Lua module.
func LuaCode() string { return luaCode }

// LuaTrialPassed is what nginx prints when it can run our Lua.
const LuaTrialPassed = "sluice-lua: passed"

// LuaTrial is for the http block of an nginx that shall try our Lua and end.
func LuaTrial() string {
	return "    lua_shared_dict sluice_live_1 1m;\n    init_by_lua_block {\n" + luaCode + luaTrialCode + "    }\n"
}

//go:embed lua_trial.lua
var luaTrialCode string

// LiveFolder holds what only the agent and nginx's master may open, on a node with these facts:
// the socket that takes endpoint sets, and the file that they are in while nginx is stopped.
func LiveFolder(f gateway.NodeFacts) string { return path.Join(path.Dir(f.TreePath), "live") }

// LiveSocket is where nginx takes endpoint sets.
func LiveSocket(f gateway.NodeFacts) string { return path.Join(LiveFolder(f), "push.sock") }

// LiveFile is where nginx finds endpoint sets when it starts.
func LiveFile(f gateway.NodeFacts) string { return path.Join(LiveFolder(f), "sets") }

// TakesSets says whether nodes of the fleet with these facts get endpoint sets beside their
// files.
func TakesSets(s *gateway.Snapshot, fleet string, facts gateway.NodeFacts) bool {
	if !slices.Contains(facts.Modules, ModuleLua) || !plainPath(LiveFolder(facts)) {
		return false
	}
	return !slices.ContainsFunc(s.Fleets, func(f *gateway.Fleet) bool { return f.Name == fleet && f.Spec.Endpoints == EndpointsStatic })
}

// isLive says whether an upstream's endpoints are pushed. What our Lua does not do, such as
// other ways to balance, is left to nginx's own balancers, with the endpoints in the files.
func isLive(u *gateway.EffectiveUpstream) bool {
	return u.ProxyProtocol == "" && u.Limits.MaxConnections == 0 && (u.Balance.Policy == "" || u.Balance.Policy == "round_robin")
}

// live is isLive on nodes that take sets.
func (r *renderer) live(u *gateway.EffectiveUpstream) bool {
	return isLive(u) && TakesSets(r.snapshot, r.fleet, r.facts)
}

// liveUpstream writes an upstream without its endpoints: a change of them changes no file. The
// one server is never asked; nginx wants to see one.
func (r *renderer) liveUpstream(w *writer, u *gateway.EffectiveUpstream) {
	r.endpoints(u) // for the problems of those that are left out
	name := upstreamName(u.Key)
	w.comment("Its endpoints come by the agent's socket.")
	w.open("upstream", name)
	w.stmt("server", "0.0.0.1")
	w.put("balancer_by_lua_block { sluice_live.balance(" + luaString(name) + ") }")
	if r.has("http_upstream_keepalive_module") {
		w.stmt("keepalive", "32")
		w.stmt("keepalive_timeout", nginxTime(u.Timeouts.Idle, defaultIdle))
	}
	w.close()
}

// liveGuard answers 503 where the route's upstream has nothing to ask, before a body is read.
func (r *renderer) liveGuard(w *writer, route *gateway.EffectiveRoute) {
	if route.Respond != nil || !slices.ContainsFunc(route.Targets, r.liveTarget) {
		return
	}
	code := "return sluice_live.open(" + luaString(upstreamName(route.Targets[0].Upstream)) + ")"
	if len(route.Targets) > 1 {
		code = "local to = ngx.var." + strings.TrimPrefix(routeVariable(route), "$") + " return "
		for _, t := range route.Targets {
			if !r.liveTarget(t) {
				code += "to == " + luaString(upstreamName(t.Upstream)) + ` and "1" or `
			}
		}
		code += "sluice_live.open(to)"
	}
	w.put("set_by_lua_block $sluice_open { " + code + " }")
	w.put(`if ($sluice_open = "") {`)
	w.depth++
	w.stmt("return", "503")
	w.close()
}

func (r *renderer) liveTarget(t gateway.Target) bool {
	return r.traits[t.Upstream].live
}

// luaString writes a name of ours, which has letters, digits and "._-" only.
func luaString(name string) string { return `"` + name + `"` }

// lua writes what the upstreams rely on, for nodes that take sets.
func (r *renderer) lua() {
	if !TakesSets(r.snapshot, r.fleet, r.facts) {
		return
	}
	w := newWriter(LuaFile, gateway.Ref{Kind: gateway.KindFleet, Name: r.fleet})
	w.comment("Rendered by Sluice. Endpoint sets are kept here, through reloads.")
	w.stmt("lua_shared_dict", "sluice_live_1", "32m")
	w.put("init_by_lua_block {")
	w.depth++
	for line := range strings.Lines(luaCode) {
		w.put(strings.TrimRight(line, "\n"))
	}
	w.put("M.load(" + luaString(LiveFile(r.facts)) + ")")
	w.close()
	w.put("")
	w.comment("Where the agent puts them: nobody else can open the folder of the socket.")
	w.open("server")
	w.stmt("listen", "unix:"+LiveSocket(r.facts))
	w.stmt("server_name", "sluice-live")
	w.stmt("access_log", "off")
	w.stmt("client_max_body_size", "1m")
	w.stmt("client_body_buffer_size", "1m")
	w.open("location", "=", "/live")
	w.put("content_by_lua_block { sluice_live.serve() }")
	w.close()
	w.open("location", "/")
	w.stmt("return", "404")
	w.close()
	w.close()
	r.add(w)
}
