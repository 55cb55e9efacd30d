package gateway

import "time"

// Route sends requests for hosts and paths to upstreams.
type Route struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec RouteSpec        `json:"spec"`
}

// RouteSpec is what a person writes. Matching follows Gateway API's HTTPRoute.
type RouteSpec struct {
	// Hosts are exact names or wildcards inside the tenant's claims.
	Hosts []string `json:"hosts"`
	// SingleLabel makes wildcard hosts take one label, as Kubernetes Ingresses have it:
	// *.example.com then is a.example.com and not a.b.example.com, which the route answers
	// 404. Default: one label or more.
	SingleLabel bool `json:"singleLabel,omitempty"`
	// Match lists alternatives; a request that fits one of them is taken. Empty: every path.
	Match []Match `json:"match,omitempty"`
	// To shares requests between upstreams of the same tenant by weight.
	// A route with a respond or redirect filter needs none.
	To []RouteTarget `json:"to,omitempty"`
	// Filters change requests and answers, or refuse them.
	Filters []Filter `json:"filters,omitempty"`
	// Timeout bounds the whole exchange with the upstream, retries included. Default: no
	// bound besides the upstream's own timeouts.
	Timeout Duration `json:"timeout,omitempty"`
	// MaxBodySize bounds a request body; a longer one is answered 413. Default 10m.
	MaxBodySize Size `json:"maxBodySize,omitempty"`
}

// Match is one alternative of a route.
type Match struct {
	Path       PathMatch        `json:"path,omitzero"`
	Conditions `yaml:",inline"` // as in Meta
}

// PathMatch compares the normalised path. At most one field is set; none means prefix "/".
type PathMatch struct {
	// Prefix matches whole path elements: "/api" takes /api and /api/x, but not /apix.
	Prefix string `json:"prefix,omitempty"`
	Exact  string `json:"exact,omitempty"`
}

// RouteTarget is one upstream of a route.
type RouteTarget struct {
	Upstream string `json:"upstream"`
	// Weight is the share of requests among the targets. Default 1; 0 sends none.
	Weight *int `json:"weight,omitempty"`
}

// Override is a tenant's change on top of a route.
type Override struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec OverrideSpec     `json:"spec"`
}

// OverrideSpec says which route it changes, how, until when and why.
type OverrideSpec struct {
	Route string      `json:"route"`
	Set   OverrideSet `json:"set,omitzero"`
	// Nginx is directive text for the route's location blocks on nginx nodes. Only the
	// directives that a Policy lists in nginxDirectives are accepted.
	Nginx string `json:"nginx,omitempty"`
	// Precedence orders several overrides of one route: the higher one wins, then the name
	// that sorts last.
	Precedence int       `json:"precedence,omitempty"`
	Expires    time.Time `json:"expires,omitzero"`
	Reason     string    `json:"reason,omitempty"`
}

// OverrideSet holds the route fields that an override may change; unset fields stay.
type OverrideSet struct {
	Timeout     *Duration `json:"timeout,omitempty"`
	MaxBodySize *Size     `json:"maxBodySize,omitempty"`
}

// Policy holds ceilings and locks that administrators put on what tenants may set.
type Policy struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec PolicySpec       `json:"spec"`
}

// PolicySpec applies to every tenant. Of several policies the strictest value counts, and
// an nginx directive must be allowed by one of them.
type PolicySpec struct {
	MaxBodySize SizeRange     `json:"maxBodySize,omitzero"`
	Timeout     DurationRange `json:"timeout,omitzero"`
	// Locks names fields of OverrideSet that overrides may not change ("timeout",
	// "maxBodySize").
	Locks []string `json:"locks,omitempty"`
	// NginxDirectives are the directives that Override.nginx may use.
	NginxDirectives []string `json:"nginxDirectives,omitempty"`
	// Endpoints says which addresses no upstream may have. Default: those of cloud metadata.
	Endpoints *EndpointPolicy `json:"endpoints,omitempty"`
}

// SizeRange bounds a size; zero means no bound.
type SizeRange struct {
	Max Size `json:"max,omitempty"`
}

// DurationRange bounds a duration; zero means no bound.
type DurationRange struct {
	Max Duration `json:"max,omitempty"`
}

// Fleet is a named group of mirrored nginx nodes.
type Fleet struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec FleetSpec        `json:"spec"`
}

// FleetSpec says how changes reach the nodes of a fleet.
//
// A fleet that sets none of Waves, Bake, Gates and Drain gets each change on all its nodes at
// once. One that sets any of them gets changes by waves, with the defaults of the others.
// Changes of endpoints go to all nodes at once in either case.
type FleetSpec struct {
	ReloadBudget ReloadBudget `json:"reloadBudget,omitzero"`
	// Mode is how much of nginx's configuration Sluice writes. Default: include.
	Mode FleetMode `json:"mode,omitempty"`
	// WorkerShutdownTimeout is how long workers may go on with old connections after a reload;
	// then nginx closes those. Default: for as long as clients keep them. Mode full only.
	WorkerShutdownTimeout Duration `json:"workerShutdownTimeout,omitempty"`
	// Waves are how many nodes run a change in turn, such as [1, 10%, 100%], which is the
	// default: counts before percentages, increasing, 100% at the end.
	Waves []Wave `json:"waves,omitempty"`
	// Bake is how long each wave runs a change before the next one gets it. Default 30s, at
	// most 24h. Longer where there are few requests: what fails shows only when somebody asks for it.
	Bake *Duration `json:"bake,omitempty"`
	// Gates say when a wave is worse than the nodes that do not have the change.
	Gates Gates `json:"gates,omitzero"`
	// Drain is how long the health address of a node answers 503 before a change is applied, so
	// that LVS takes it out. Default: not at all; at most 1h.
	Drain Duration `json:"drain,omitempty"`
	// Endpoints: "auto" (default) gives endpoints to nodes whose nginx has the Lua module
	// without a reload, and writes them into the files of all others. "static" writes them into
	// the files of all nodes.
	Endpoints string `json:"endpoints,omitempty"`
}

// FleetMode says whose nginx.conf is.
type FleetMode string

// The modes of a fleet.
const (
	// FleetModeInclude: people own nginx.conf, which includes the rendered tree.
	FleetModeInclude FleetMode = "include"
	// FleetModeFull: the rendered tree holds nginx.conf, too.
	FleetModeFull FleetMode = "full"
)

// ReloadBudget bounds how often one node reloads, since each reload leaves an old worker
// process behind until its last connection ends.
type ReloadBudget struct {
	// Every is the shortest time between two reloads of one node. Default 10s, from
	// 100ms to 1h. The first change after a quiet time is applied at once.
	Every Duration `json:"every,omitempty"`
}
