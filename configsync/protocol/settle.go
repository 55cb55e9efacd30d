package protocol

// Settle is what people decided about edits by hand on a node. Edits are named by the id of
// their hunk.
type Settle struct {
	// Digest names what was decided, and when.
	Digest string `json:"digest"`
	// Allowed edits are carried on into the next bundles.
	Allowed []string `json:"allowed,omitempty"`
	// Revert are edits of the rendered tree that are to be taken back.
	Revert []string `json:"revert,omitempty"`
	// Files are files outside of the rendered tree that are to be written.
	Files []SettleFile `json:"files,omitempty"`
}

// SettleFile is a file outside of the rendered tree.
type SettleFile struct {
	Path string `json:"path"` // one that nginx loads
	// Have is the SHA-256 of the file that the decision was about, in hex: a newer one is left
	// alone.
	Have string `json:"have"`
	Data []byte `json:"data,omitempty"`
	// Remove says that there shall be no such file.
	Remove bool `json:"remove,omitempty"`
	// Hunks are the edits that are taken back by it.
	Hunks []string `json:"hunks"`
}
