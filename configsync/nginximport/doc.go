// Package nginximport turns an nginx configuration that people wrote into objects.
//
// [Import] takes the files that nginx loads, read by [Local] from a disk or by [Archive] from
// what a node's agent has uploaded, and returns a Tenant, Upstreams, Routes and Pins with a
// [Report]: every directive that has no words in the objects, where it stands, why, and what to
// do instead. A location that would refuse somebody, and can't be said, answers 503; one whose paths
// no route can name is reported as [Opens].
//
// It knows nothing of the control plane: whoever calls it writes the objects down. Private
// keys are never read.
package nginximport
