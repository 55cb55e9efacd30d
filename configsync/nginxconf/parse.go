package nginxconf

import (
	"fmt"
	"strings"
)

// Config is one parsed file. It keeps every byte: [Config.String] returns what was parsed.
type Config struct {
	// Name is used in errors: a path as the reader knows it.
	Name       string
	Directives []*Directive
	// Tail is the white space and the comments after the last directive.
	Tail string
}

// Directive is one statement: words ended by ";", or by a block.
type Directive struct {
	Words []Word
	// Before is what stands between the last word and the ";" or "{".
	Before string
	// Block is nil for a directive that ends in ";".
	Block *Block
}

// Block is what stands between "{" and "}".
type Block struct {
	Directives []*Directive
	// Tail is the white space and the comments before "}".
	Tail string
	// Lua is set instead of Directives for "*_by_lua_block": the code, kept as it is.
	Lua   string
	IsLua bool
}

// Word is a directive's name or one of its arguments.
type Word struct {
	// Before is the white space and the comments in front of the word.
	Before string
	// Raw is the word as written, with quotes and escapes.
	Raw string
	// Value is what nginx takes it for: quotes removed, escapes resolved.
	Value string
	// Line and Col are where Raw starts, from 1; Col counts bytes.
	Line, Col int
}

// SyntaxError says where a file stops being nginx configuration.
type SyntaxError struct {
	File      string
	Line, Col int
	Message   string
}

// Error reads "FILE:LINE:COL: message".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Message)
}

// Name is the directive's name, unquoted.
func (d *Directive) Name() string { return d.Words[0].Value }

// Args are the values of the words after the name.
func (d *Directive) Args() []string {
	args := make([]string, 0, len(d.Words)-1)
	for _, w := range d.Words[1:] {
		args = append(args, w.Value)
	}
	return args
}

// Line is the line of the directive's name.
func (d *Directive) Line() int { return d.Words[0].Line }

// String is the file, byte for byte.
func (c *Config) String() string {
	var b strings.Builder
	c.steps(
		func(_ []*Directive, d *Directive) {
			for _, w := range d.Words {
				b.WriteString(w.Before)
				b.WriteString(w.Raw)
			}
			b.WriteString(d.Before)
			if d.Block == nil {
				b.WriteByte(';')
				return
			}
			b.WriteByte('{')
			b.WriteString(d.Block.Lua)
		},
		func(d *Directive) {
			b.WriteString(d.Block.Tail)
			b.WriteByte('}')
		})
	b.WriteString(c.Tail)
	return b.String()
}

// Walk calls visit for every directive in the order of the file, with the blocks that
// enclose it, outermost first. The list of blocks is only good during the call.
func (c *Config) Walk(visit func(parents []*Directive, d *Directive)) {
	c.steps(visit, func(*Directive) {})
}

// steps visits every directive, and leaves every block at its end. It needs no stack of
// calls, so that files as deep as they are long do no harm.
func (c *Config) steps(visit func([]*Directive, *Directive), leave func(*Directive)) {
	var parents []*Directive
	rest := [][]*Directive{c.Directives}
	for len(rest) > 0 {
		top := len(rest) - 1
		if len(rest[top]) == 0 {
			rest = rest[:top]
			if top > 0 {
				leave(parents[top-1])
				parents = parents[:top-1]
			}
			continue
		}
		d := rest[top][0]
		rest[top] = rest[top][1:]
		visit(parents, d)
		if d.Block != nil {
			parents = append(parents, d)
			rest = append(rest, d.Block.Directives)
		}
	}
}

// Parse reads one configuration file as nginx does (ngx_conf_read_token), without knowing
// any directive: which directives exist is for nginx to judge. The error is a
// *[SyntaxError].
func Parse(name, text string) (*Config, error) {
	p := parser{lexer: lexer{file: name, text: text, line: 1}}
	c := &Config{Name: name}
	if err := p.parse(c); err != nil {
		return nil, err
	}
	return c, nil
}

// parser builds the tree with a stack of its own, so that deeply nested input costs memory
// and never the goroutine's stack.
type parser struct {
	lexer
	open []*Directive
}

func (p *parser) parse(c *Config) error {
	for {
		words, before, end, err := p.statement()
		if err != nil {
			return err
		}
		switch end {
		case endOfFile:
			if n := len(p.open); n > 0 {
				return p.errorf("unexpected end of file, expecting \"}\" for %q of line %d", p.open[n-1].Name(), p.open[n-1].Line())
			}
			c.Tail = before
			return nil
		case '}':
			n := len(p.open)
			if n == 0 {
				return p.errorf("unexpected \"}\": no block is open")
			}
			p.open[n-1].Block.Tail = before
			p.open = p.open[:n-1]
		default:
			d := &Directive{Words: words, Before: before}
			p.add(c, d)
			if end == '{' {
				if err := p.block(d); err != nil {
					return err
				}
			}
		}
	}
}

func (p *parser) add(c *Config, d *Directive) {
	if n := len(p.open); n > 0 {
		p.open[n-1].Block.Directives = append(p.open[n-1].Block.Directives, d)
		return
	}
	c.Directives = append(c.Directives, d)
}

// block opens the directive's block, or takes it whole when it holds Lua.
func (p *parser) block(d *Directive) error {
	d.Block = &Block{}
	if !strings.HasSuffix(d.Name(), "_by_lua_block") {
		p.open = append(p.open, d)
		return nil
	}
	d.Block.IsLua = true
	code, err := p.lua(d)
	d.Block.Lua = code
	return err
}
