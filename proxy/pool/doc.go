// Package pool keeps connections to one endpoint open between requests.
//
// A [Pool] belongs to one endpoint. Put gives back a connection whose last exchange ended
// cleanly; Get returns the one that was used last, after a look for a dead peer or for
// bytes that nobody asked for. Old connections are dropped by Sweep. A closed pool closes
// what comes back.
//
// Opening connections, and what is said on them, belongs to package proxy.
package pool
