// Package manual turns endpoints written by hand into sets, for services that run outside
// of containers.
//
// It takes in upstream objects and gives one [gateway.EndpointSet] for each. It is a
// function and not a source that runs: what people wrote is intent, it is complete and at
// hand with the object itself, so there is nothing to watch, to reach or to wait for. A
// goroutine would only add a moment in which an upstream is there and its endpoints are
// not.
//
// Whether an address is acceptable is decided by gateway.Build, which puts the problem on
// the upstream next to the field that is wrong.
package manual
