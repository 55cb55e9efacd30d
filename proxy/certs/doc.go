// Package certs decides what a TLS handshake with a client gets: which certificate, whether
// the client has to show one, and with which keys sessions are resumed.
//
// A [Table] is compiled from a snapshot and swapped with it; [Files] are certificates from
// files, which are read again when they change. A [Server] answers the handshakes of one
// listener from both: exact names before wildcards, tables before files, then the listener's
// default certificate, or the alert unrecognized_name. [Tickets] keeps the keys of session
// tickets the same on all nodes that share a store, and rotates them.
//
// Who may use which name is decided by gateway.Build. Sockets, deadlines and requests belong
// to packages socket and proxy.
package certs
