package gateway

// Tenant owns hosts, routes, upstreams and overrides.
type Tenant struct {
	Meta `yaml:",inline"` // goccy/go-yaml does not inline by itself, as encoding/json does
	Spec TenantSpec       `json:"spec"`
}

// TenantSpec is what an administrator grants to a tenant.
type TenantSpec struct {
	// Hosts are exclusive claims: an exact name, a wildcard "*.example.com" (one or more
	// labels), or "*" for every host that nobody else claims. The more specific claim owns
	// a host; of two equal claims the older tenant keeps it and the other gets a Problem.
	Hosts []string `json:"hosts,omitempty"`
	// Ports are exclusive claims, too: a port "7000" or a range "7000-7099", for streams. Of two
	// claims of a port the older tenant keeps it.
	Ports []string `json:"ports,omitempty"`
	// Fleets are the nginx fleets that mirror this tenant. Empty: the Go edge only.
	Fleets []string `json:"fleets,omitempty"`
	// Alerts says who is told when something of the tenant is wrong, and from when on it is.
	Alerts *TenantAlerts `json:"alerts,omitempty"`
}

// TenantAlerts is a tenant's share in alerts.
type TenantAlerts struct {
	// Receivers are told of the tenant's alerts: names of alerts.receivers in sluice.yaml whose
	// scope is "tenants". Those with scope "all" are told anyway.
	Receivers []string `json:"receivers,omitempty"`
	// MaxErrorRatio is the share of 5xx answers, 0 to 1, above which the generated Prometheus
	// rules alert. Default 0.05.
	MaxErrorRatio float64 `json:"maxErrorRatio,omitempty"`
	// MaxLatency is what the 99th percentile of the times of requests may be in these rules.
	// Default: no rule.
	MaxLatency Duration `json:"maxLatency,omitempty"`
}
