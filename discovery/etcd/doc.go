// Package etcd discovers endpoints that register themselves in etcd.
//
// It takes in an etcd client, or a [Registry] to connect to, and the prefixes that upstreams
// follow, and reports the instances registered under each prefix as one set. One watch serves
// all upstreams that follow the same prefix. A client stays its owner's, who closes it after
// Run returned; the connection to a registry is opened and closed by Run.
//
// # Instances
//
// Each key under the prefix is one instance, usually put under a lease, so that it goes
// away when its owner dies. Its value is a JSON object in one of two formats.
//
// Our own:
//
//	{"address": "10.0.0.1:8080", "weight": 5, "priority": 0, "zone": "a", "tags": ["v2"], "status": "up"}
//
// and that of etcd's client/v3/naming/endpoints, which gRPC services register in:
//
//	{"Op": 0, "Addr": "10.0.0.1:8080", "Metadata": {"weight": 5}}
//
// docs/discovery.md says what each field means. Only the address is required, numbers may be
// strings, and what is not known is left alone.
//
// A key whose value cannot be read is named in the set's problems, and so is one whose status
// takes it out. When two keys name one address, the one written last counts: it is an instance
// that came back under a new name before its old lease ran out.
//
// # Prefixes
//
// A prefix is a folder: "/services/api" follows what is below "/services/api/", and never
// "/services/api-canary/". An empty prefix, and one that reaches into a reserved part of
// the etcd (Sluice's own objects) or out of what a registry gives out, is refused with a
// problem.
//
// What an address may be used for is decided elsewhere; this package asks for an IP
// address and a port.
package etcd
