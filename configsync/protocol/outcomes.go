package protocol

import "github.com/sluice-gateway/sluice/gateway"

// Outcomes is how the exchanges of a node's nginx with endpoints ended, and the requests of its
// clients, since the last time.
type Outcomes struct {
	Endpoints []EndpointOutcomes `json:"endpoints"`
	Answers   []Answers          `json:"answers,omitempty"` // by server
}

// EndpointOutcomes are those with one endpoint of one upstream.
type EndpointOutcomes struct {
	// Upstream is its name in nginx.
	Upstream string `json:"upstream"`
	Address  string `json:"address"`
	// Runs are in the order of time, so that errors in a row stay in a row.
	Runs []Run `json:"runs"`
}

// Run is a number of outcomes that are alike.
type Run struct {
	Status  int             `json:"status,omitempty"`
	Failure gateway.Failure `json:"failure,omitempty"`
	Count   int             `json:"count"`
	// Seconds until the head of the answer, of all of them together.
	Seconds float64 `json:"seconds,omitempty"`
}

// MaxRuns bounds the runs of an endpoint in one batch.
const MaxRuns = 64

// MaxEndpoints bounds the endpoints of one batch.
const MaxEndpoints = 10_000

// MaxOutcomes bounds the sum of all counts of one batch.
const MaxOutcomes = 200_000
