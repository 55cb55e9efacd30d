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
		before = l.blank()
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
func (l *lexer) blank() string {
	start := l.pos
	for l.pos < len(l.text) {
		switch c := l.text[l.pos]; {
		case isBlank(c):
			l.next()
		case c == '#':
			for l.pos < len(l.text) && l.text[l.pos] != '\n' {
				l.pos++
			}
		default:
			return l.text[start:l.pos]
		}
	}
	return l.text[start:l.pos]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (l *lexer) word() (Word, error) {
	w := Word{Line: l.line, Col: l.pos - l.lineStart + 1}
	start := l.pos
	var err error
	if c := l.text[l.pos]; c == '"' || c == '\'' {
		if err = l.quoted(c); err != nil {
			return w, err
		}
		w.Raw = l.text[start:l.pos]
		w.Value = unescape(w.Raw[1 : len(w.Raw)-1])
		return w, l.afterQuote()
	}
	l.bare()
	w.Raw = l.text[start:l.pos]
	w.Value = unescape(w.Raw)
	return w, nil
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
