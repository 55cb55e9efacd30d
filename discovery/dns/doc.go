// Package dns discovers endpoints that have a name in DNS.
//
// It takes in names with a record type and a port, asks name servers for them again and
// again, and reports the addresses found as one set per name. Upstreams that follow the same
// name share its lookups.
//
// # When it asks
//
// The time to live of an answer says when its name is asked for again, kept between one
// second and five minutes and stretched by up to a tenth, so that names do not march in step.
// At most [Config.Parallel] names are looked up at a time.
//
// # Nothing, and no answer
//
// NXDOMAIN and an answer without records say that there is nothing (RFC 2308). One such
// answer changes nothing: the name is asked for again shortly, beginning with another server.
// The second in a row is reported as an empty set whose Absence says which it was, and
// whoever keeps upstreams from shrinking may still hold on to what there was. An SRV record
// with the target "." is somebody's word that the service is switched off (RFC 2782); it
// needs no second one.
//
// Silence, SERVFAIL, REFUSED, a referral and the like say nothing about the name. The last
// set stays, the name is asked for again with a growing pause, and Status is not up. Of a
// name that is followed by A and AAAA both have to be answered, for half of the answer would
// take endpoints out of service; give the type where one of them never is.
//
// # SRV
//
// Priority becomes the endpoint's priority: both mean that the lower number goes first.
// Weights are compared within one priority only. A target's weight is shared by its addresses,
// so that one with two addresses gets no more than its part; shares are whole numbers, brought
// down to 1000 where they would be above. A weight of 0 means "almost never" to RFC 2782 and "listed, without new
// requests" to Sluice: where all weights of a priority are 0 they become 1, and beside others
// 0 becomes 1 while the largest becomes 1000.
//
// Addresses of targets are taken from the additional section when it has some for each
// target, and are looked up otherwise.
//
// # Servers
//
// A resolver's servers are those given, or those of /etc/resolv.conf, which is read again when
// it changes; its search list, ndots, timeout and attempts count. A name is complete with a
// dot at its end, and for a resolver whose servers are given. Servers are asked in turn, those
// that were silent lately last, over UDP with EDNS0 and over TCP when that was too small.
//
// What an address may be used for is decided by package gateway.
package dns
