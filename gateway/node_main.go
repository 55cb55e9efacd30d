package gateway

// NodeMain is what a node's own nginx.conf says that is the node's to say: its user, its
// processes, its files. In fleets whose mode is full the rendered nginx.conf repeats it.
// Each directive is a list of words, without quotes.
type NodeMain struct {
	Main   [][]string `json:"main,omitempty"`
	Events [][]string `json:"events,omitempty"`
	HTTP   [][]string `json:"http,omitempty"`
}
