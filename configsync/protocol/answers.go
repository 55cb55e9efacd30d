package protocol

// Answers are how requests of clients to one server of nginx ended: those that were passed on
// to an endpoint, and those that nginx answered 5xx itself.
type Answers struct {
	// Server is its first name.
	Server string `json:"server"`
	Count  int    `json:"count"`
	// Errors are those of them that were answered 5xx.
	Errors int `json:"errors,omitempty"`
}

// MaxServers bounds the servers of one batch.
const MaxServers = 10_000
