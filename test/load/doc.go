// Package load sends bounded load over kept-alive connections and judges every answer.
//
// [Run] takes a [Config] (where to, how many connections, how long, how fast, what the
// answer must be) and gives back a [Result]: requests, failures with their reasons,
// connections that the server closed, and latencies. Nothing is retried: a request on a
// connection that the server closes under it is a failure, because a client sees it so.
//
// It speaks HTTP/1.1 over plain TCP and is meant for tests and for the load of benchmarks
// that need every answer checked; for raw speed, benchmarks use wrk.
package load
