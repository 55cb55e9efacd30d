package nginxconf

import "strings"

// lua steps over a Lua block up to its closing "}" and returns the code. Braces in Lua's
// strings, long brackets and comments do not count, as in lua-nginx-module's lexer.
func (l *lexer) lua(d *Directive) (string, error) {
	start, depth := l.pos, 1
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		switch {
		case c == '}':
			if depth--; depth == 0 {
				code := l.text[start:l.pos]
				l.pos++
				return code, nil
			}
			l.pos++
		case c == '{':
			depth++
			l.pos++
		case c == '"', c == '\'':
			l.luaString(c)
		case c == '[':
			if !l.luaLong() {
				l.pos++
			}
		case c == '-' && strings.HasPrefix(l.text[l.pos:], "--"):
			l.pos += 2
			if !l.luaLong() {
				l.luaLine()
			}
		default:
			l.next()
		}
	}
	return "", l.errorf("unexpected end of file, expecting \"}\" for the Lua block %q of line %d", d.Name(), d.Line())
}

// luaString steps over a string in quotes, which ends on its line, whatever Lua itself knows
// of line ends behind a backslash. A quote that nothing closes there is a byte like any
// other, as for lua-nginx-module.
func (l *lexer) luaString(quote byte) {
	opened := *l
	l.pos++
	for l.pos < len(l.text) && l.text[l.pos] != '\n' {
		c := l.text[l.pos]
		l.pos++
		if c == quote {
			return
		}
		if c == '\\' && l.pos < len(l.text) && l.text[l.pos] != '\n' {
			l.pos++
		}
	}
	*l = opened
	l.pos++
}

// luaLine steps over the rest of the line.
func (l *lexer) luaLine() {
	for l.pos < len(l.text) && l.text[l.pos] != '\n' {
		l.pos++
	}
}

// luaLong steps over a long bracket such as [[...]] or [==[...]==], if one starts here.
func (l *lexer) luaLong() bool {
	rest := l.text[l.pos:]
	if !strings.HasPrefix(rest, "[") {
		return false
	}
	level := len(rest[1:]) - len(strings.TrimLeft(rest[1:], "="))
	if !strings.HasPrefix(rest[1+level:], "[") {
		return false
	}
	end := strings.Index(rest[2+level:], "]"+strings.Repeat("=", level)+"]")
	stop := len(l.text)
	if end >= 0 {
		stop = l.pos + 2 + level + end + 2 + level
	}
	for l.pos < stop {
		l.next()
	}
	return true
}
