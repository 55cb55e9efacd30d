// Package proxyproto reads and writes the header of HAProxy's PROXY protocol, versions 1 and
// 2, by which a load balancer tells whom a connection comes from.
//
// Bytes go in and a [Header] comes out; [Need] says how many more bytes are certain to
// belong to the header, so that a caller never reads into what follows it (a TLS hello, for
// example). Nothing here waits, allocates for longer than the call, or trusts: who may send
// a header is the caller's to decide.
//
// The protocol is described in https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt.
package proxyproto
