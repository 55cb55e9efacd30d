// Package control owns the inputs of Sluice and hands out what was decided from them.
//
// In go intent (objects from the store), endpoint sets (from discovery) and verdicts (from
// health). [Loop] applies them, calls gateway.Build (or its shortcut for a few upstreams)
// and publishes the snapshot: the first change after a quiet moment at once, a burst at most
// every 20 ms. Consumers get the newest snapshot only; a slow one misses the ones between.
//
// [Guard] stands before the loop and keeps what a source has lost all at once, for a minute and
// while it answers. [Copy] is the inputs on disk, from which a node starts when store and
// sources can not be reached.
//
// Deciding belongs to package gateway; acting on a snapshot, to its consumers.
package control
