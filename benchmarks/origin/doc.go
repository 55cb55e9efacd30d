// Package origin holds the origins that stand behind the proxies where an nginx can not: for gRPC
// calls and WebSocket echoes, and for small answers, of which each costs nginx as much as it
// costs the proxies, so that proxies would be measured by how long they wait for it.
//
// [Run] serves one of them until its process ends, and a page with the number of calls it
// has answered, in the form of nginx's stub_status. They do as little as they can, on one
// core beside the load, so that the proxy stays what is measured: the gRPC origin answers
// every stream with the same bytes and never looks into a header block, the HTTP/1.1 origin every
// GET.
//
// They believe their peers. Nothing of this is fit for traffic that is not a benchmark.
package origin
