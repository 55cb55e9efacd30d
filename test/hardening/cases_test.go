package hardening

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// rawCase is one case of a file in testdata.
type rawCase struct {
	file, name, rfc string
	line            int

	sends   []step   // what the client does
	script  []step   // what the origin does when it is asked for /case; nil: it echoes
	answers []answer // what the client may get, in order
	keep    bool     // the client's connection goes on; else it must be closed
	seen    []sight  // what the origin may see, in order
	kept    string   // "kept", "closed" or "": the connection to the origin
	raw     string   // what the client reads behind the answers
	trusted bool     // the client is a trusted proxy
	short   bool     // through the listener with short timeouts
	blame   string   // "nobody": the 502 is not held against the origin
	frame   *frame   // the last one of sends, over HTTP/2
	ends    []string // over HTTP/2: how the connection may end, or "alive"
}

// step is bytes, or something to do.
type step struct{ do, text string }

// answer is one answer that the client may get.
type answer struct {
	statuses  []int // empty: nothing at all
	cut       bool  // the body must be seen to be incomplete
	body      string
	anyBody   bool
	has, lack []string

	stream uint32   // over HTTP/2
	resets []string // and the codes that the stream may be reset with instead
}

// sight is one request that the origin may see.
type sight struct {
	method, target string
	framing, body  string
	cut            bool   // begins but never completes; may also be missing
	maybe          bool   // may be missing, or not complete
	at             string // which upstream: "main" or "admin"
	has, lack      []string
	once           []string // names
}

// parseCases reads a file of cases. Each line is one of
//
//	# comment
//	case NAME                  starts a case
//	rfc PARAGRAPH              holds for the cases that follow, too
//	> TEXT                     the client sends TEXT and CRLF; a "\" at the end: no CRLF
//	>! wait                    the client waits for one more answer before it goes on
//	>! settle                  the client waits until the origin has played its script
//	>! end                     the client closes its direction; no request follows
//	< TEXT                     the origin answers TEXT and CRLF, after the whole request
//	<! early|pause|close|reset|expect TEXT
//	                           the origin answers before the body; waits a little; closes;
//	                           resets; reads exactly TEXT
//	via trusted|short          through a listener that trusts the client, or has timeouts of 1 s
//	client STATUS[|STATUS] [cut] [BODY] [keep|close]
//	                           one answer; keep or close on the last one; "none" for no answer.
//	                           Without BODY, a 200 must be the origin's echo of the request
//	                           whose turn it is; BODY is "text", or * for any
//	client-has LINE, client-lacks NAME
//	origin METHOD TARGET none|length|chunked [BODY] [cut] [maybe] [at admin]
//	origin-has LINE, origin-lacks NAME, origin-once NAME
//	client-raw TEXT            what follows the last answer, such as a tunnel's bytes
//	blames nobody              the 502 is not held against the origin
//	upstream kept|closed       whether the next user gets the same connection to the origin
//
// and over HTTP/2, see [frame],
//
//	>> get|post ID PATH [end]  the client sends HEADERS with the usual pseudo-fields,
//	>> head|more ID [end] [open]
//	                           or HEADERS or CONTINUATION with the fields given, or
//	>> data ID [end] TEXT      DATA, or
//	>> raw TYPE FLAGS ID TEXT  any frame, its numbers in hex
//	+ NAME VALUE               adds a field to the frame above, as a plain literal
//	+! TEXT                    adds bytes to the frame above
//	stream ID STATUS|CODE... [cut] [BODY]
//	                           like client, for one stream, which may be reset with a code;
//	                           "malformed" is 400 and PROTOCOL_ERROR (RFC 9113 section 8.1.1)
//	connection alive|CODE...   how the connection may end; without this line it goes on
//
// In TEXT and BODY, \r \n \t \0 \\ \" \xHH stand for bytes and \(N TEXT) for N times TEXT.
func parseCases(t testing.TB, file string) (all []*rawCase) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rfc := ""
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimRight(line, " ")
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "rfc":
			rfc = rest
			if n := len(all); n > 0 && len(all[n-1].answers) == 0 {
				all[n-1].rfc = rfc
			}
			continue
		case "case":
			all = append(all, &rawCase{file: filepath.Base(file), name: rest, rfc: rfc, line: i + 1})
			continue
		}
		if len(all) == 0 {
			t.Fatalf("%s:%d: %q before the first case", file, i+1, word)
		}
		if err := all[len(all)-1].take(word, rest); err != nil {
			t.Fatalf("%s:%d: %v", file, i+1, err)
		}
	}
	for _, c := range all {
		if c.rfc == "" || len(c.answers) == 0 && c.ends == nil {
			t.Fatalf("%s:%d: case %q lacks its rfc or client line", file, c.line, c.name)
		}
	}
	return all
}

// take adds one line to the case.
func (c *rawCase) take(word, rest string) (err error) {
	var s step
	switch word {
	case ">", "<":
		if s, err = textStep(rest); err != nil {
			return err
		}
	case ">!", "<!":
		s.do, s.text, _ = strings.Cut(rest, " ")
		if s.text, err = unescape(s.text); err != nil {
			return err
		}
	}
	switch word {
	case ">", ">!":
		c.sends = append(c.sends, s)
	case "<", "<!":
		c.script = append(c.script, s)
	case "via":
		c.trusted, c.short = rest == "trusted", rest == "short"
	case "upstream":
		c.kept = rest
	case "blames":
		c.blame = rest
	case "client-raw":
		c.raw, err = unescape(rest)
		return err
	case "client":
		return c.client(rest)
	case "origin":
		return c.origin(rest)
	case "client-has", "client-lacks", "origin-has", "origin-lacks", "origin-once":
		return c.field(word, rest)
	default:
		return c.takeFrames(word, rest)
	}
	return nil
}

func textStep(line string) (step, error) {
	end := "\r\n"
	if strings.HasSuffix(line, `\`) && !strings.HasSuffix(line, `\\`) {
		line, end = line[:len(line)-1], ""
	}
	text, err := unescape(line)
	return step{text: text + end}, err
}

var words = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\S+`)

func (c *rawCase) client(line string) error {
	var a answer
	for i, w := range words.FindAllString(line, -1) {
		switch {
		case i == 0 && w == "none":
		case i == 0:
			for s := range strings.SplitSeq(w, "|") {
				n, err := strconv.Atoi(s)
				if err != nil {
					return err
				}
				a.statuses = append(a.statuses, n)
			}
		case w == "cut":
			a.cut = true
		case w == "*":
			a.anyBody = true
		case w == "keep", w == "close":
			c.keep = w == "keep"
		case w[0] == '"':
			body, err := unescape(w[1 : len(w)-1])
			if err != nil {
				return err
			}
			a.body = body
			a.anyBody = body == ""
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	c.answers = append(c.answers, a)
	return nil
}

func (c *rawCase) origin(line string) error {
	ws := words.FindAllString(line, -1)
	if len(ws) < 3 {
		return fmt.Errorf("want METHOD TARGET FRAMING")
	}
	s := sight{method: ws[0], framing: ws[2], at: "main"}
	var err error
	if s.target, err = unescape(ws[1]); err != nil {
		return err
	}
	for i, w := range ws[3:] {
		switch {
		case w == "cut":
			s.cut = true
		case w == "maybe":
			s.maybe = true
		case w == "at":
			s.at = ws[3+i+1]
		case w[0] == '"':
			if s.body, err = unescape(w[1 : len(w)-1]); err != nil {
				return err
			}
		}
	}
	c.seen = append(c.seen, s)
	return nil
}

func (c *rawCase) field(word, line string) error {
	line, err := unescape(line)
	switch {
	case err != nil:
		return err
	case word[0] == 'c' && len(c.answers) == 0, word[0] == 'o' && len(c.seen) == 0:
		return fmt.Errorf("%s before what it belongs to", word)
	}
	switch word {
	case "client-has":
		a := &c.answers[len(c.answers)-1]
		a.has = append(a.has, line)
	case "client-lacks":
		a := &c.answers[len(c.answers)-1]
		a.lack = append(a.lack, line)
	case "origin-has":
		s := &c.seen[len(c.seen)-1]
		s.has = append(s.has, line)
	case "origin-once":
		s := &c.seen[len(c.seen)-1]
		s.once = append(s.once, line)
	default:
		s := &c.seen[len(c.seen)-1]
		s.lack = append(s.lack, line)
	}
	return nil
}
