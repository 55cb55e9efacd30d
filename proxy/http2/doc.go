// Package http2 holds one HTTP/2 connection (RFC 9113), as server or client: frames, flow
// control both ways, header blocks, streams, and the limits that make floods cheap for us
// and final for their sender.
//
// Heads travel in the form of HTTP/1.1: a header block is decoded into the bytes that the
// same message would have on an HTTP/1.1 connection, after the checks that only HTTP/2 needs,
// so that one strict parser (package http1) judges the messages of both. What is sent is
// encoded by AppendField and its kind, without the dynamic table: blocks can be built by any
// goroutine, in any order.
//
// One goroutine per connection reads (Run) and never waits for a writer; a goroutine that
// writes exists only while there is something to send. Everything else happens in the
// goroutines of the streams, in blocking style with deadlines in the unit of socket.Now.
package http2
