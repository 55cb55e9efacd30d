// Package discovery finds out where the endpoints of upstreams are.
//
// [Manager] takes in snapshots, works out which places their upstreams want to follow,
// gives each [Source] its part of the list and hands on every [gateway.EndpointSet] that a
// source reports. A place in a cluster or registry that is not configured becomes a
// [gateway.Problem] on the upstream. A source that fails is started again with a growing
// pause; [Manager.Status] says how each of them is.
//
// # The contract of a source
//
//   - Sets are whole. A set with the same key replaces the one before, so a source never
//     sends a change, and an empty set says "there is nothing", not "I do not know".
//   - The first set of a want is sent as soon as its content is known, and not before: a
//     half-read list would take endpoints out of service.
//   - A failing source sends nothing. The last good set stays in use, which is better than
//     a partial or an empty one; Status tells people that it is getting old.
//   - Each list received from wants replaces the one before. A want that is in both lists
//     goes on undisturbed; one that is new gets a first set, even if it was followed once
//     before; one that is gone gets no more sets.
//   - What is gone on purpose is said to be: by Absence when there shall be nothing, by Out for
//     single addresses. Others that go all at once are kept for a while (control.Guard).
//   - Entries that cannot be read are named in EndpointSet.Problems. The others live.
//   - Run returns when ctx ends, having stopped all it started. It leaves out open. An
//     error means that Run cannot go on by itself; Run may then be called again.
//
// The sources are in folders of their own: discovery/kubernetes, discovery/etcd
// and discovery/dns.
// Endpoints written by hand are intent and need nobody to watch them; discovery/manual
// turns them into sets.
//
// What the sets mean together is decided by package gateway. An endpoint's address is an IP
// address and a port; host names are resolved by discovery/dns alone.
package discovery
