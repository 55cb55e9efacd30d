// Package socket gives blocking connections that cost little while they wait.
//
// A [Conn] wraps a net.Conn. Its deadlines are wishes: nothing is armed until a call has
// to wait, and an armed timer that fires early is moved instead of being reset on every
// request. [Conn.ReadInto] borrows its buffer only when bytes have arrived, so that an idle
// connection holds none. [Conn.Splice] moves large bodies between two TCP connections
// inside the kernel, and [Conn.Alive] looks for a dead peer without waiting.
//
// [Conn.StartTLS] puts crypto/tls on top, and everything above stays true: an idle TLS
// connection holds none of our buffers either, and a head with the start of its body goes
// out in one record.
//
// A connection that is attached ([Conn.Attach]) is watched by an event loop in place of Go's
// poller. A [Watcher] is called by the loop when it is time to read, and uses ReadNow, AskNow and
// WriteNow, which never wait; everything that waits works as before.
//
// One goroutine reads and one writes at a time; Interrupt, Gone and Cut may be called by any
// other, and Close too unless the connection is its user's own ([Conn.Own]). What is read and written belongs to packages http1 and proxy.
package socket
