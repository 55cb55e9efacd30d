// Package agent runs beside one nginx and keeps it at what the control plane wants.
//
// [Run] pulls bundles and applies them in named steps: stage the complete tree, check it
// with nginx -t as part of the complete configuration, flip one symlink, reload, and verify
// by asking a new worker for the digest that it runs. A bundle that fails before the flip
// leaves disk and traffic untouched; one that fails after it is flipped back, and the old
// tree is tested again. A journal lets the next start finish or undo what a kill -9 left.
//
// It watches the files that nginx loads and reports edits by hand as drift. An edit stays
// until the next bundle: that one goes into a folder of its own, so the edited files remain
// in the old folder, and the report lists them as overwritten. What the workers were started
// with is known by their start and the files' change times.
//
// In fleets of mode full a bundle holds nginx.conf, too, and the file that nginx is started
// with becomes a link to it. A reload that nginx would not notice is spared.
//
// The node is known to the control plane by a certificate, which it gets for a one-time token
// and renews. Bundles come signed and numbered: one that somebody changed, made for another fleet
// or sent again is refused before anything on the node is touched (step verify-bundle).
//
// Without the control plane nginx goes on with what it has. What to run is decided by
// package configsync; this package only carries it out.
//
// # Setting up a node
//
// [Snippet] gives the line that nginx.conf needs inside its http block. The folder of
// [Config.TreeDir] holds:
//
//	current -> trees/DIGEST   what nginx loads
//	trees/DIGEST/             staged trees, the last five
//	bundles/DIGEST.json       the same as received, to tell edits by hand
//	journal.json              only while a bundle is being applied
//	nginx.conf.kept           mode full: the node's own nginx.conf
//	sluice.sock               where nginx answers GET /digest
//	live/                     closed to others: push.sock, where nginx with the Lua module takes
//	                          endpoint sets, and sets, the file that it reads them from at start
//
// The folder of [Config.StateDir], which is for the agent alone:
//
//	identity.json             the node's key and certificate, and whom it trusts
//	enrolling.key             only while the node enrols
//	applied.json              the highest number of a bundle so far
//
// nginx does not remove its sockets when it is killed, and does not start while one is left.
// The agent removes a left one within about a second. For a node whose agent may be away
// when nginx starts, add "ExecStartPre=-/bin/rm -f TREEDIR/sluice.sock TREEDIR/live/push.sock"
// to nginx's unit. Where there is no Lua module, [Config.DigestListen] with a loopback address
// does as well.
package agent
