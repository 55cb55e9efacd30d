package gateway

// ConnectionLimit bounds how many requests of one key are in progress at a time, from the head
// of a request to the end of its answer; over HTTP/1.1 each has a connection. Every edge counts
// by itself.
type ConnectionLimit struct {
	// Max is 1 to 65,535.
	Max int `json:"max"`
	// Key says whose requests are counted together. Default: those of one client.
	Key LimitKey `json:"key,omitzero"`
	// Status is the answer to what is too much: 429 (default) or 503.
	Status int `json:"status,omitempty"`
}

// MaxConnectionLimit is the most that nginx knows.
const MaxConnectionLimit = 65535

// connectionLimit returns the usable limit of a route, with defaults, or nil.
func (b *builder) connectionLimit(r *Route) *ConnectionLimit {
	return filterOf(r, func(f *Filter) *ConnectionLimit { return f.ConnectionLimit }, func(field string, l *ConnectionLimit) *ConnectionLimit {
		c := limitChecker{b, r, field + ".connectionLimit."}
		return &ConnectionLimit{Max: c.within("max", l.Max, 1, MaxConnectionLimit), Key: c.key(l.Key), Status: c.status(l.Status)}
	}, onlyFirst[ConnectionLimit](b, r, "connectionLimit"))
}
