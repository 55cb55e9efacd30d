// Package loadgen makes the load of benchmarks that wrk and h2load cannot: TLS handshakes,
// WebSocket messages, idle connections and requests at a steady rate.
//
// A [Config] names the kind of load and its size; [Run] sends it and gives back a [Result]:
// how much was done, and latencies. Nothing is retried, and the first wrong answer ends a
// run with an error, except at a steady rate, where failures are what is counted.
//
// A benchmark runs it in a process of its own, pinned to the core of the load. What the
// figures mean is decided there.
package loadgen
