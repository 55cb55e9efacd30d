package http1

// Trails says whether the field may be passed on as a trailer. Fields that frame, route,
// authenticate or describe the content have to stand in the head (RFC 9110 section 6.5.1),
// and a recipient that merges trailers into the head would believe them.
func (f *Field) Trails(b []byte) bool {
	if f.Key != KeyOther && f.Key != KeyDate {
		return false
	}
	var lowered [19]byte // the longest of the names below
	name := f.Name.Of(b)
	if len(name) > len(lowered) {
		return true
	}
	for i, c := range name {
		lowered[i] = lower(c)
	}
	switch string(lowered[:len(name)]) {
	case "authorization", "cookie", "set-cookie", "www-authenticate",
		"cache-control", "age", "expires", "pragma", "vary",
		"content-encoding", "content-range", "content-type",
		"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range",
		"location", "max-forwards", "retry-after":
		return false
	}
	return true
}
