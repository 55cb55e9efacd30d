// Package gateway is the vocabulary of Sluice, and the pure function that decides.
//
// What people want arrives as objects ([Tenant], [Route], [Upstream], [Override],
// [Policy], [Fleet], [Certificate]); what is true arrives as [EndpointSet] from discovery and
// [Verdict] from health. Together they are the [Inputs], and [Build] turns them into
// one immutable [Snapshot] that the proxy serves, health probes, configsync renders and
// the admin API shows.
//
// Build reads no clock, file, socket or random source: equal inputs give equal bytes and
// an equal digest on every node. A bad item becomes a [Problem] on its owner's object and
// everything else goes live.
//
// The package imports the standard library only, and every other package may import it.
package gateway
