package nginxconf

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// test is a question about a request: a map of a variable by one expression.
type test struct {
	source, pattern string
	header          string // that our Lua reads into source
	query           bool
}

// variable is "1" where the answer is yes, and one character in any case.
func (t test) variable() string { return shortHashVariable('m', t.source, t.pattern) }

func (t test) write(w *writer) {
	w.open("map", t.source, t.variable())
	if t.query { // an expression that gives up is no answer
		w.stmt("default", "2")
		w.stmt("", "0") // for which nginx asks no expression
		w.stmt("~"+t.pattern, "1")
		w.stmt("~", "0")
	} else {
		w.stmt("default", "0")
		w.stmt("~"+t.pattern, "1")
	}
	w.close()
}

// testsOf are what a request has to be asked for some conditions. unsure says why the answers leave
// open whether it meets them, or is ""; it does not meet them where an answer is no.
func (r *renderer) testsOf(c *gateway.Conditions) (tests []test, unsure string) {
	add := func(t test, why string) {
		if len(Quote("~"+t.pattern)) > maxParameter {
			t.pattern, why = "", "a value is too long for an expression"
		}
		if t.pattern != "" {
			tests = append(tests, t)
		}
		if unsure == "" {
			unsure = why
		}
	}
	if len(c.Methods) > 0 {
		add(methodTest(c.Methods))
	}
	for _, h := range c.Headers {
		add(r.headerTest(h))
	}
	for _, q := range c.Query {
		add(queryTest(q))
	}
	return tests, unsure
}

func methodTest(methods []string) (test, string) {
	for _, m := range methods {
		if m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return test{}, "a method has other characters than A to Z"
		}
	}
	return test{source: "$request_method", pattern: "^(?:" + strings.Join(methods, "|") + `)\z`}, ""
}

// maxHeaderName bounds names of headers that become variables.
const maxHeaderName = 64

// headerTest asks for a field. Several fields of one name count together, joined by ", ", which
// nginx has since 1.23.0 and our Lua in all versions.
func (r *renderer) headerTest(h gateway.HeaderMatch) (test, string) {
	switch {
	case h.Name == "" || len(h.Name) > maxHeaderName || strings.Trim(h.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return test{}, fmt.Sprintf("it has no variable for the header %s", printable(h.Name))
	case strings.Trim(h.Exact, printableASCII) != "":
		return test{}, fmt.Sprintf("the value of the header %s has bytes outside of ASCII", h.Name)
	case !h.Present && h.Exact == "":
		return test{}, fmt.Sprintf("it can't tell an empty header %s from none", h.Name)
	case TakesSets(r.snapshot, r.fleet, r.facts):
		t := test{source: luaHeaderVariable(h.Name), header: h.Name, pattern: "^="}
		if !h.Present {
			t.pattern += regexp.QuoteMeta(h.Exact) + `\z`
		}
		return t, ""
	case !h.Present && h.Name == "cookie":
		return test{}, "it joins several headers cookie in its own way"
	}
	t := test{source: "$http_" + strings.ReplaceAll(h.Name, "-", "_"), pattern: `(?s).`}
	if r.atLeast("1.23.0") {
		if !h.Present {
			t.pattern = "^" + regexp.QuoteMeta(h.Exact) + `\z`
		}
		return t, ""
	}
	const why = "before version 1.23.0, and without its Lua module, it sees no more than the first of several fields of a request"
	if h.Present {
		return test{}, why
	}
	t.pattern = firstFields(h.Exact)
	return t, why
}

// firstFields is an expression for what the first of several fields may be that are exact together.
func firstFields(exact string) string {
	var list []string
	for i := range exact {
		if strings.HasPrefix(exact[i:], ", ") {
			list = append(list, regexp.QuoteMeta(exact[:i]))
		}
	}
	if slices.Contains(list, "") {
		return "" // so may be no field at all
	}
	return "^(?:" + strings.Join(append(list, regexp.QuoteMeta(exact)), "|") + `)\z`
}

// printableASCII are the bytes of values that are compared.
const printableASCII = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\t"

// luaHeader has our Lua read a header: "=" and its fields, or nothing where there is none.
func luaHeader(w *writer, name string) {
	w.put("set_by_lua_block " + luaHeaderVariable(name) + " { local v = ngx.req.get_headers(0)[" + luaString(name) +
		`] if not v then return "" end if type(v) == "table" then v = table.concat(v, ", ") end return "=" .. v }`)
}

func luaHeaderVariable(name string) string { return shortHashVariable('h', name) }

// queryTest asks for the first parameter of a name, in every spelling that forms have for it: the
// variables $arg_NAME are not decoded, and know names without regard to case.
func queryTest(q gateway.QueryMatch) (test, string) {
	if q.Name == "" {
		return test{}, "a parameter has no name"
	}
	name, value := formSpellings(q.Name, true), "="+formSpellings(q.Exact, false)
	if q.Exact == "" {
		value = "=?"
	}
	return test{source: "$args", query: true, pattern: `^(?:(?!` + name + `(?:[=&]|\z))[^&]*+&)*+` + name + value + `(?:&|\z)`}, ""
}

// formSpellings is an expression for every way to write a name or a value of a query.
func formSpellings(text string, name bool) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		b.WriteString("(?:")
		switch c := text[i]; {
		case c == ' ':
			b.WriteString(`\+|`)
		case c == '%':
			b.WriteString(`%(?![0-9A-Fa-f]{2})|`)
		case c == '&', c == '+', c == '=' && name:
		case c > ' ' && c < 0x7f:
			b.WriteString(regexp.QuoteMeta(string(c)) + "|")
		default:
			fmt.Fprintf(&b, `\x%02x|`, c)
		}
		fmt.Fprintf(&b, "%%%s%s)", hexDigit(text[i]>>4), hexDigit(text[i]&15))
	}
	return b.String()
}

// moreThan is an expression for a larger number, in decimal digits.
func moreThan(n int64) string {
	digits := strconv.FormatInt(n, 10)
	list := []string{fmt.Sprintf("[1-9][0-9]{%d,}", len(digits))}
	for i, d := range digits {
		if d < '9' {
			list = append(list, fmt.Sprintf("%s[%c-9][0-9]{%d}", digits[:i], d+1, len(digits)-i-1))
		}
	}
	return "^0*(?:" + strings.Join(list, "|") + `)\z`
}

// nginxSize reads a size as nginx writes one.
func nginxSize(text string) (int64, bool) {
	number, shift := text, 0
	if text != "" {
		if i := strings.IndexByte("kmg", text[len(text)-1]|0x20); i >= 0 {
			number, shift = text[:len(text)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return n << shift, err == nil && n >= 0 && n <= (1<<62)>>shift
}
