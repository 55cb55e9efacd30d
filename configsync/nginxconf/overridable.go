package nginxconf

// Overridable says why a directive can never stand in an override's nginx text, whatever a
// Policy lists, or returns "".
func Overridable(d *Directive) (why string) {
	_, why = refusalOf(d)
	return why
}
