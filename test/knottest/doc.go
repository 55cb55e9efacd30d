// Package knottest runs Debian's Knot, a real name server, for tests.
//
// [Start] takes in zones as text and serves them on a free port of 127.0.0.1 from a temporary
// folder, as the user that runs the test. Zones may be rewritten while it runs, and changed by
// dynamic updates signed with [Key]. The server ends with the test.
package knottest
