// Package kubetest runs a real Kubernetes API for tests, without containers or a cluster.
//
// [Start] gives a [Cluster]: a kube-apiserver on an etcd of its own, both as child
// processes on loopback that end with the test (or with the test's process, should that be
// killed). It comes with a kubeconfig for the code under test and with methods that create
// namespaces, Services and EndpointSlices. No controllers run: a test writes the
// EndpointSlices that it wants to see.
//
// The binaries come from test/kube, a module of its own, which test/kube/build.sh builds
// once into the user's cache. The first test that finds the cache empty builds it, which
// takes some minutes and says so on stderr.
//
// EndpointSlice validation refuses 127.0.0.0/8, so the addresses in slices can not be those
// of backends that listen on loopback.
package kubetest
