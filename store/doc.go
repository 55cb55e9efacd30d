// Package store keeps what people want: typed objects in etcd, each write with its
// history and its audit record.
//
// [Open] gives a [Store] on an etcd that runs inside the process without any listener,
// or on an etcd cluster; everything after that is the same code. Objects go in with
// [Store.Put], [Store.Delete] and [Store.Apply], guarded by revisions, and come out with
// [Store.Get], [Store.List] and [Store.Watch]. One write is one etcd transaction of object,
// history entry and audit record, so none of them exists without the others. The caller
// owns the objects that it passes and those that it gets; the store keeps neither.
//
// What objects mean is decided by gateway.Build, who may write them by package admin.
// Endpoints and verdicts are observed, not wanted, and never come here; the etcd registry
// of package discovery only shares the connection, through [Store.Client].
package store
