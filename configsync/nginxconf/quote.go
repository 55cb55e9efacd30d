package nginxconf

import "strings"

// Quote writes a value as one word that nginx reads back as exactly this value: bare when
// that is safe, else in double quotes. It can't express a NUL byte, which nginx would take
// for the end of the string; callers refuse such values before.
//
// Quoting keeps a value in its place. It does not take away the meaning of "$": where a
// directive expands variables, "$" has to be refused or wanted.
func Quote(value string) string {
	if isBare(value) {
		return value
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isBare says whether the value needs no quotes. The list is short on purpose: what is not
// known to be harmless is quoted.
func isBare(value string) bool {
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("_.-/:*=%$@+,~^[]", c) >= 0:
		default:
			return false
		}
	}
	return value != ""
}

// hasControl says whether a value holds bytes that have no place in a configuration file.
func hasControl(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
