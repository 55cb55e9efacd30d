// Command benchmarks puts Sluice and its peers to the same work on this machine and says
// what each request costs them.
//
// For each scenario it starts an origin and every peer, pins each peer to one core and load
// and origin to another, and lets them take turns for several rounds. It gives CPU time per
// request from /proc, requests per second and latencies from wrk, medians with their spread,
// and the ratio of Sluice to nginx for each round. Results go to standard output, and as
// JSON and Markdown, with the machine, versions and commit, into benchmarks/results.
//
// It starts real programs only (nginx, wrk, bin/sluice) and ends every process it started.
// Scenarios and peers are rows of the tables in scenario.go and peer.go; README.md says how
// the figures come about and what they do not say.
package main
