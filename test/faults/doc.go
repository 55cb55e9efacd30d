// Package faults shows what clients see of endpoints that fail, and of an edge that does.
//
// Endpoints are processes of their own, which are killed, stopped and told to misbehave under
// load; the edge is the real binary, with nginx and HAProxy beside it in the same run. Each
// test prints its figures for `make figures`; docs/faults.md has those of one run.
package faults
