package gateway

import "cmp"

// Problem is something that a person has to settle: what is wrong, with whose object,
// where in it, and what to do. Other objects are unaffected.
type Problem struct {
	Object Ref    `json:"object"`
	Field  string `json:"field,omitempty"` // path in the object, such as "spec.hosts[1]"
	Code   string `json:"code"`            // stable, such as "host_taken"
	// Message says what is wrong and what to do, in one or two sentences.
	Message string `json:"message"`
	// Source tells where it was found: "build", a discovery source, or "node NAME".
	Source string `json:"source,omitempty"`
}

// Compare orders problems by object, field, code and message.
func (p Problem) Compare(o Problem) int {
	return cmp.Or(p.Object.Compare(o.Object), cmp.Compare(p.Field, o.Field), cmp.Compare(p.Code, o.Code),
		cmp.Compare(p.Message, o.Message), cmp.Compare(p.Source, o.Source))
}
