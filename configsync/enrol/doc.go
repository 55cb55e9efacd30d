// Package enrol decides who is a node of a fleet, and vouches for what nodes are told.
//
// [Authority] is the control plane's certificate authority. All replicas on one store share its
// keys. A person makes a one-time token; a new node trades it for a certificate that names its
// fleet and itself ([protocol.Peer]), and renews that in time, without a token. Revoking a
// node refuses its certificates on all replicas at once. [Authority.Guard] lets requests
// through that come with a good certificate, and [Authority.Sign] signs bundles with a key of
// its own, which is rotated. [Numbers] gives bundles their numbers.
//
// What a node may be told is decided by package configsync; the agent's side of it all is in
// package agent.
package enrol
