// Package names gives services names in DNS and announces them.
//
// It takes in snapshots, makes a name for every Kubernetes Service that an upstream follows
// by a [Rule], and tells an [Announcer] once for each name that is new, has other addresses,
// or is gone: [Updater] sends dynamic updates (RFC 2136), [Webhook] calls somebody's API.
//
// What was announced is kept as a [Record] in a [State], so that neither a restart nor a
// change of leader announces anything again. The record is written before the call and
// completed after it; a call whose end nobody saw is made again, and Announcers take that for
// the same call. A name is withdrawn when its service has been gone for the grace, and never
// while the sources of services are incomplete. One process at a time announces: the one
// whose Lead calls back.
//
// A [Router] makes a route for each name as well, so that a request for the host gets to the
// service. Whether it is in force is decided by package gateway: hosts belong to tenants, and
// routes that people wrote are stronger.
//
// Deciding is pure: [Assign] says which service has which name, [Plan] what is to be called.
// Timers and calls are in [Keeper].
package names
