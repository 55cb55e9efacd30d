// Package origin holds the origins that stand behind the proxies when a benchmark needs
// more than nginx can answer: gRPC calls and WebSocket echoes.
//
// [Run] serves one of them until its process ends, and a page with the number of calls it
// has answered, in the form of nginx's stub_status. They do as little as they can, on one
// core beside the load, so that the proxy stays what is measured: the gRPC origin answers
// every stream with the same bytes and never looks into a header block.
//
// They believe their peers. Nothing of this is fit for traffic that is not a benchmark.
package origin
