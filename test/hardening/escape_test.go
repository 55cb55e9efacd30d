package hardening

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var escape = regexp.MustCompile(`\\(?:x[0-9a-fA-F]{2}|\(\d+ [^)]*\)|.)`)

func unescape(s string) (string, error) {
	var bad error
	out := escape.ReplaceAllStringFunc(s, func(e string) string {
		switch e[1] {
		case 'r':
			return "\r"
		case 'n':
			return "\n"
		case 't':
			return "\t"
		case '0':
			return "\x00"
		case '\\', '"':
			return e[1:]
		case 'x':
			v, _ := strconv.ParseUint(e[2:], 16, 8) // two hex digits, says the pattern
			return string([]byte{byte(v)})
		case '(':
			count, text, _ := strings.Cut(e[2:len(e)-1], " ")
			n, _ := strconv.Atoi(count) // digits, says the pattern
			text, err := unescape(text)
			if err != nil {
				bad = err
			}
			return strings.Repeat(text, n)
		}
		bad = fmt.Errorf("unknown escape %q", e)
		return ""
	})
	return out, bad
}
