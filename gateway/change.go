package gateway

// Change is one write of intent: it puts Object, or deletes what Ref names when Object is nil.
type Change struct {
	Ref    Ref
	Object Object
	// IfRevision makes the change conditional: nil writes in any case, 0 only when there is no
	// such object yet, any other number only when the object still has that revision.
	IfRevision *int64
}
