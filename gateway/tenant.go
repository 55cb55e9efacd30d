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
	// Fleets are the nginx fleets that mirror this tenant. Empty: the Go edge only.
	Fleets []string `json:"fleets,omitempty"`
}
