package nginxconf

import (
	"fmt"
	"strings"
)

// endOfFile ends the last statement of a file, as ';', '{' and '}' end the others.
const endOfFile byte = 0

// lexer splits text into statements by the rules of nginx's ngx_conf_read_token.
type lexer struct {
	file, text string
	pos        int
	line       int // of pos, from 1
	lineStart  int // offset of the line's first byte
}

// window is nginx's buffer: a word or comment that does not fit in is refused, wherever it
// stands (NGX_CONF_BUFFER).
const window = 4096

// fits refuses what starts at start where nginx has to read the byte at last before it may
// forget start. opened is the lexer as it was there. A file's end is no byte to be read.
func (l *lexer) fits(opened lexer, start, last int) error {
	if last < start+window || start+window >= len(l.text) {
		return nil
	}
	return opened.errorf("too long: nginx reads words and comments of at most %d bytes", window-2)
}

func (l *lexer) errorf(format string, args ...any) error {
	return &SyntaxError{File: l.file, Line: l.line, Col: l.pos - l.lineStart + 1, Message: fmt.Sprintf(format, args...)}
}

// next steps over one byte and counts lines.
func (l *lexer) next() {
	if l.text[l.pos] == '\n' {
		l.line++
		l.lineStart = l.pos + 1
	}
	l.pos++
}

// statement reads words up to ";", "{", "}" or the end of the file. before is what stands
// between the last word and that end.
func (l *lexer) statement() (words []Word, before string, end byte, err error) {
	for {
		if before, err = l.blank(); err != nil {
			return nil, "", 0, err
		}
		if l.pos == len(l.text) {
			if len(words) > 0 {
				return nil, "", 0, l.errorf("unexpected end of file, expecting \";\" or \"{\" after %q", words[len(words)-1].Raw)
			}
			return nil, before, endOfFile, nil
		}
		switch c := l.text[l.pos]; {
		case (c == ';' || c == '{') && len(words) == 0:
			return nil, "", 0, l.errorf("unexpected %q: a directive starts with its name", string(c))
		case c == '}' && len(words) > 0:
			return nil, "", 0, l.errorf("unexpected \"}\": %q of line %d is not ended by \";\"", words[0].Raw, words[0].Line)
		case c == ';', c == '{', c == '}':
			l.pos++
			return words, before, c, nil
		}
		w, err := l.word()
		if err != nil {
			return nil, "", 0, err
		}
		w.Before = before
		words = append(words, w)
	}
}

// blank steps over white space and comments and returns them.
func (l *lexer) blank() (string, error) {
	start := l.pos
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case isBlank(c):
			l.next()
		case c == '#':
			opened := *l
			for l.pos < len(l.text) && l.text[l.pos] != '\n' {
				l.pos++
			}
			if err := l.fits(opened, opened.pos, l.pos); err != nil {
				return "", err
			}
		default:
			return l.text[start:l.pos], nil
		}
	}
	return l.text[start:l.pos], nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (l *lexer) word() (Word, error) {
	w := Word{Line: l.line, Col: l.pos - l.lineStart + 1}
	opened, start := *l, l.pos
	if c := l.text[l.pos]; c == '"' || c == '\'' {
		if err := l.quoted(c); err != nil {
			return w, err
		}
		w.Raw = l.text[start:l.pos]
		w.Value = unescape(w.Raw[1 : len(w.Raw)-1])
		if err := l.afterQuote(); err != nil {
			return w, err
		}
		return w, l.fits(opened, start+1, l.pos+l.blankAhead())
	}
	l.bare()
	w.Raw = l.text[start:l.pos]
	w.Value = unescape(w.Raw)
	return w, l.fits(opened, start, l.pos+l.blankAhead())
}

// blankAhead is 1 before white space, else 0: after a blank nginx reads one byte more before
// it forgets the word in front of it.
func (l *lexer) blankAhead() int {
	if l.pos < len(l.text) && isBlank(l.text[l.pos]) {
		return 1
	}
	return 0
}

// quoted steps over a word in quotes. Nothing but a backslash takes away the meaning of
// the closing quote.
func (l *lexer) quoted(quote byte) error {
	opened := *l
	l.next()
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		l.next()
		if c == quote {
			return nil
		}
		if c == '\\' && l.pos < len(l.text) {
			l.next()
		}
	}
	return opened.errorf("unexpected end of file: the quote %q is never closed", string(quote))
}

// afterQuote refuses what nginx refuses after a closing quote.
func (l *lexer) afterQuote() error {
	if l.pos == len(l.text) {
		return nil
	}
	if c := l.text[l.pos]; !isBlank(c) && c != ';' && c != '{' && c != ')' {
		return l.errorf("unexpected %q after a closing quote: a blank, \";\" or \"{\" has to follow", string(rune(c)))
	}
	return nil
}

// bare steps over a word without quotes. It ends before white space, ";" and "{"; "${" does
// not end it, nor does anything after a backslash.
func (l *lexer) bare() {
	variable := false
	for first := true; l.pos < len(l.text); first = false {
		c := l.text[l.pos]
		switch {
		case c == '{' && variable:
			l.pos++
			continue
		case !first && (isBlank(c) || c == ';' || c == '{'):
			return
		case c == '\\' && l.pos+1 < len(l.text):
			l.pos++
			l.next()
			variable = false
			continue
		}
		variable = c == '$'
		l.next()
	}
}

// unescape resolves the escapes that nginx knows; any other backslash stays.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case '"', '\'', '\\':
				i++
				c = s[i]
			case 't':
				i++
				c = '\t'
			case 'r':
				i++
				c = '\r'
			case 'n':
				i++
				c = '\n'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
