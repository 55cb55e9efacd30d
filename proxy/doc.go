// Package proxy is the HTTP data path: it takes requests from clients and sends them to
// the endpoints of upstreams.
//
// A [Proxy] is given snapshots by Apply and listeners by Serve. A snapshot is compiled into
// one table behind an atomic pointer; a request loads it once and keeps it to the end, and
// a swap closes no connection. What has to outlive a swap (connections, failed connects,
// counters) is kept under upstream and address and let go when no snapshot mentions it.
// How each exchange with an endpoint ended is told to the [Observer]; acting on it
// belongs to package health, whose verdicts come back in the next snapshot.
//
// A goroutine serves a client connection in blocking style. Its file is conn.go; a
// request's way from there is exchange.go (match, choose, try), await.go (the answer's
// head), upload.go and download.go (bodies) and tunnel.go (WebSocket; stream_tunnel.go over HTTP/2). An
// idle connection has no goroutine: an event loop watches it, and serves what needs no waiting itself
// (swift.go); whatever does is carried on by a goroutine on the same way. Neither has a WebSocket over
// HTTP/1.1: its bytes are passed on by loops. The exchange knows
// bodies as readers and writers of pieces and leaves syntax to the leaf packages: http1
// (the codec), match (hosts and paths), balance (whose turn it is), pool (kept
// connections) and socket (cheap waiting).
//
// Whatever is doubtful in a request is answered 400 and the connection closed. Paths are
// matched in a normalised form, which package match describes.
package proxy
