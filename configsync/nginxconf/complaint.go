package nginxconf

import "fmt"

// Complaint is what nginx has against a tree.
type Complaint struct {
	// Message is in nginx's own words, with paths relative to the tree.
	Message string
	// File is relative to the tree, Line counts from 1. Empty and 0: nginx named no place, or
	// one outside of the tree.
	File string
	Line int
}

func (c *Complaint) String() string {
	if c.File == "" {
		return c.Message
	}
	return fmt.Sprintf("%s (%s, line %d)", c.Message, c.File, c.Line)
}
