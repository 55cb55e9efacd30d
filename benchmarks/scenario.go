package main

// host is the name under which every peer serves the work.
const host = "bench.example.com"

// scenario is one kind of work that all peers do.
type scenario struct {
	Name        string
	About       string
	Connections int // kept-alive client connections
	BodySize    int // bytes in each answer
	// Goal is the largest ratio Sluice / nginx of CPU time per request that we accept.
	Goal float64
}

// scenarios in the order in which they run.
var scenarios = []scenario{
	{
		Name:        "http1",
		About:       "HTTP/1.1 without TLS, GET, 100-byte answers, 64 kept-alive connections",
		Connections: 64,
		BodySize:    100,
		Goal:        1.10,
	},
}
