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
// Deciding is pure, in [Plan]. Timers and calls are in [Keeper]. Whether a host is routed is
// decided by package gateway, whose routes are not made here: [Rule.Host] tells which host a
// service gets.
package names
