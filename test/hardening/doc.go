// Package hardening shows that nothing a client or an origin sends confuses the proxy: no
// request is smuggled, no answer reaches the wrong user, nothing crashes, and a slow or
// greedy peer costs the others next to nothing.
//
// testdata/requests and testdata/responses hold raw bytes, one class of attack in a file,
// each case with the RFC's paragraph and with what the client and the origin may see. Every
// case runs through the real proxy over real sockets, sent whole, cut at random places, and
// cut within line ends; after it another user's request takes a connection from the same
// pool and must get its own answer. What arrived is judged by a reader of this package's
// own, so that a mistake in package http1 can not hide itself.
//
// testdata/downgrade holds frames of HTTP/2 for an origin that speaks HTTP/1.1, in the same
// manner; package http2 of x/net reads what comes back.
//
// The format of the cases is described at [parseCases]. The slow clients, the floods
// over HTTP/2 and the large bodies run against the sluice binary.
package hardening
