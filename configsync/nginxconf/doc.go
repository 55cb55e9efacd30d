// Package nginxconf writes and reads nginx configuration.
//
// [Render] turns a snapshot into the [Tree] of files that a node of a fleet should have; it
// is pure and its output is stable: one changed endpoint is one changed line. [Parse] reads
// any file that nginx accepts into a [Config] that keeps every byte, so that overrides are
// checked, includes are followed and files are compared without losing anything.
//
// Whether a directive exists and makes sense is for nginx to judge (nginx -t); carrying
// trees to nodes belongs to package configsync, applying them to package agent.
package nginxconf
