package agent

// point is a place in the agent's work at which losing the process matters. Each is passed
// on the way from a new bundle to a running one, or back.
type point string

// The way of a bundle that works.
const (
	atBegin         point = "begin"           // a bundle is here, nothing is written
	atJournalHalf   point = "journal half"    // the journal's temporary file is half written
	atJournal       point = "journal written" // it says "stage"
	atBundleHalf    point = "bundle half"     // the bundle as received is half written
	atBundle        point = "bundle written"
	atFileHalf      point = "file half" // a file of the staged tree is half written
	atFile          point = "file written"
	atFilled        point = "tree filled" // all files are durable, the folder has its temporary name
	atStaged        point = "tree staged"
	atCheckCopy     point = "check copy written" // beside nginx.conf
	atChecked       point = "checked"
	atFlipJournal   point = "flip journal written" // it says "flip"
	atFlipHalf      point = "flip half"            // the new link has its temporary name
	atFlipped       point = "flipped"              // the folder is not yet durable
	atMainKept      point = "nginx.conf kept"      // full mode: the old file is saved, not replaced
	atBeforeReload  point = "before HUP"
	atAfterReload   point = "after HUP"
	atVerifying     point = "verifying"
	atVerified      point = "verified"
	atJournalGone   point = "journal removed"
	atPruneHalf     point = "prune half" // an old tree is removed, its bundle is not
	atPruned        point = "pruned"
	atSkippedReload point = "no reload needed" // flipped, and the workers' digest is not yet noted
)

// The way back.
const (
	atUndoJournal  point = "undo journal written" // it says "undo" and why
	atUndoFlipHalf point = "undo flip half"
	atUndoFlipped  point = "undo flipped"
	atUndoTested   point = "undo tested"
	atUndoReloaded point = "undo after HUP"
	atUndoVerified point = "undo verified"
	atUndoDropped  point = "undo dropped" // the refused tree is gone, the journal is not
)

// forwardPoints and backPoints are all of them, in order. The tests kill an agent at each.
var (
	forwardPoints = []point{atBegin, atJournalHalf, atJournal, atBundleHalf, atBundle, atFileHalf, atFile, atFilled, atStaged, atCheckCopy, atChecked,
		atFlipJournal, atFlipHalf, atFlipped, atBeforeReload, atAfterReload, atVerifying, atVerified, atJournalGone, atPruneHalf, atPruned}
	backPoints = []point{atUndoJournal, atUndoFlipHalf, atUndoFlipped, atUndoTested, atUndoReloaded, atUndoVerified, atUndoDropped}
)
