package match

// After returns what follows a prefix in the forward form of a path, as it is written there:
// nothing, or from the slash (or %2f) that ends the prefix on. prefix is in match form, without
// a slash at its end, and the path's match form begins with it.
func After(forward, prefix []byte) []byte {
	made := 0 // bytes of the match form
	params := false
	for i := 0; i < len(forward); i++ {
		at, c := i, forward[i]
		if c == '%' && i+2 < len(forward) {
			c = unhex(forward[i+1])<<4 | unhex(forward[i+2])
			i += 2
		}
		switch {
		case c == '/':
			if made == len(prefix) {
				return forward[at:]
			}
			params = false
			if made == 0 || prefix[made-1] != '/' { // repeated slashes are one
				made++
			}
		case params:
		case c == ';':
			params = true
		default:
			made++
		}
	}
	return nil
}
