// Package http1 is a strict codec for HTTP/1.1 messages (RFC 9112) over byte slices.
//
// Bytes go in, offsets come out: [Request] and [Response] parse a head and hold [Span]s
// into the caller's buffer, [Chunked] walks through a chunked body in place, and the
// Append functions serialise. Nothing here reads a socket, starts a goroutine or, once the
// slices of a reused value have grown, allocates.
//
// Smuggling is a property of forgiving parsers, so whatever could be read in two ways is
// an [Error] and never repaired: bare LF, obs-fold, Content-Length beside
// Transfer-Encoding, a doubtful Content-Length or Host, a chunk size with a sign or a
// space. What to answer, when to close and which fields to pass on belongs to package
// proxy.
package http1
