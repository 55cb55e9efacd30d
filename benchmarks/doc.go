// Command benchmarks puts Sluice and its peers to the same work on this machine and says
// what it costs them: nginx, HAProxy and Caddy.
//
// For each scenario it starts the origins and every peer, pins each peer to one core and load
// and origins to another, and lets the peers take turns for several rounds. A turn yields
// values: CPU time per request and memory from /proc, requests per second and latencies from
// the load; or what else the scenario is about. It gives medians with their spread, and the
// ratio to nginx within each round. Results go to standard output, and as JSON, Markdown and
// a chart, with the machine, versions and commit, into benchmarks/results.
//
// It starts real programs only and ends every process it started. Its own program plays two
// more roles in processes of their own: the loads of package loadgen and the origins of
// package origin. Scenarios, peers and metrics are rows of the tables in scenario.go, peer.go
// and metric.go; README.md says how the figures come about and what they do not say.
package main
