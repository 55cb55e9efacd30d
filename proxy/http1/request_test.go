package http1

import (
	"strings"
	"testing"
)

// crlf writes heads readably: a line feed stands for CRLF.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func parseRequest(t testing.TB, text string) (*Request, bool, *Error) {
	t.Helper()
	r := new(Request)
	done, err := r.Parse([]byte(text), Limits{})
	return r, done, err
}

func TestRequestAccepted(t *testing.T) {
	type want struct {
		path, query, host string
		framing           Framing
		length            int64
		keep              bool
	}
	for name, c := range map[string]struct {
		text string
		want want
	}{
		"plain":              {"GET /a?b=c HTTP/1.1\nHost: x.test\n\n", want{"/a", "?b=c", "x.test", NoBody, 0, true}},
		"port":               {"GET / HTTP/1.1\nHost: x.test:8080\n\n", want{"/", "", "x.test", NoBody, 0, true}},
		"ipv6":               {"GET / HTTP/1.1\nHost: [::1]:80\n\n", want{"/", "", "[::1]", NoBody, 0, true}},
		"close":              {"GET / HTTP/1.1\nHost: x\nConnection: close\n\n", want{"/", "", "x", NoBody, 0, false}},
		"1.0":                {"GET / HTTP/1.0\n\n", want{"/", "", "", NoBody, 0, false}},
		"1.0 keep":           {"GET / HTTP/1.0\nConnection: Keep-Alive\n\n", want{"/", "", "", NoBody, 0, true}},
		"length":             {"POST / HTTP/1.1\nHost: x\ncontent-LENGTH:  12 \n\n", want{"/", "", "x", Length, 12, true}},
		"length 0":           {"POST / HTTP/1.1\nHost: x\nContent-Length: 0\n\n", want{"/", "", "x", NoBody, 0, true}},
		"chunked":            {"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: Chunked\n\n", want{"/", "", "x", ChunkedTE, 0, true}},
		"absolute":           {"GET http://x.test/a HTTP/1.1\nHost: X.test\n\n", want{"/a", "", "x.test", NoBody, 0, true}},
		"absolute, no path":  {"GET http://x.test?q HTTP/1.1\nHost: x.test\n\n", want{"/", "?q", "x.test", NoBody, 0, true}},
		"asterisk":           {"OPTIONS * HTTP/1.1\nHost: x\n\n", want{"/", "", "x", NoBody, 0, true}},
		"empty line first":   {"\nGET / HTTP/1.1\nHost: x\n\n", want{"/", "", "x", NoBody, 0, true}},
		"no space":           {"GET / HTTP/1.1\nHost:x\nA:b\n\n", want{"/", "", "x", NoBody, 0, true}},
		"8-bit value":        {"GET / HTTP/1.1\nHost: x\nA: caf\xc3\xa9\n\n", want{"/", "", "x", NoBody, 0, true}},
		"browser's query":    {"GET /a|b?x=[1]{2}^`\\100% HTTP/1.1\nHost: x\n\n", want{"/a|b", "?x=[1]{2}^`\\100%", "x", NoBody, 0, true}},
		"script's query":     {"GET /a?match[]=up{job=\"x\"} HTTP/1.1\nHost: x\n\n", want{"/a", "?match[]=up{job=\"x\"}", "x", NoBody, 0, true}},
		"empty list element": {"GET / HTTP/1.1\nHost: x\nConnection: , keep-alive,\n\n", want{"/", "", "x", NoBody, 0, true}},
		"lookalike length":   {"GET / HTTP/1.1\nHost: x\nContent_Length: 5\n\n", want{"/", "", "x", NoBody, 0, true}},
	} {
		t.Run(name, func(t *testing.T) {
			text := crlf(c.text)
			r, done, err := parseRequest(t, text+"rest")
			if err != nil || !done {
				t.Fatalf("done %v, error %v", done, err)
			}
			b := []byte(text)
			got := want{string(r.PathText(b)), string(r.Query.Of(b)), string(r.Host.Of(b)), r.Framing, r.Length, r.KeepAlive()}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if r.Size != len(text) {
				t.Errorf("size %d, want %d", r.Size, len(text))
			}
		})
	}
}

func TestRequestRefused(t *testing.T) {
	get := func(fields string) string { return crlf("GET / HTTP/1.1\nHost: x\n" + fields + "\n") }
	for name, c := range map[string]struct {
		text string
		want *Error
	}{
		"bare LF in line":        {"GET / HTTP/1.1\nHost: x\r\n\r\n", ErrBareLF},
		"bare LF in head":        {"GET / HTTP/1.1\r\nHost: x\n\r\n", ErrBareLF},
		"bare LF at end":         {"GET / HTTP/1.1\r\nHost: x\r\n\n", ErrBareLF},
		"bare CR":                {get("A: b\rc\n"), ErrControl},
		"NUL":                    {get("A: b\x00c\n"), ErrControl},
		"DEL":                    {get("A: 0123456789\x7f0123456789\n"), ErrControl},
		"fold":                   {get("A: b\n c\n"), ErrFold},
		"fold on first":          {crlf("GET / HTTP/1.1\n Host: x\n\n"), ErrFold},
		"space before colon":     {get("A : b\n"), ErrName},
		"no colon":               {get("Abc\n"), ErrName},
		"empty name":             {get(": b\n"), ErrName},
		"name with bracket":      {get("A[b]: c\n"), ErrName},
		"name with 8 bit":        {get("A\xe9: c\n"), ErrName},
		"CL and TE":              {get("Content-Length: 1\nTransfer-Encoding: chunked\n"), ErrLengthCoding},
		"TE and CL":              {get("Transfer-Encoding: chunked\nContent-Length: 1\n"), ErrLengthCoding},
		"CL twice":               {get("Content-Length: 1\nContent-Length: 1\n"), ErrLengthTwice},
		"CL list":                {get("Content-Length: 1, 1\n"), ErrLength},
		"CL plus":                {get("Content-Length: +1\n"), ErrLength},
		"CL minus":               {get("Content-Length: -1\n"), ErrLength},
		"CL hex":                 {get("Content-Length: 0x1\n"), ErrLength},
		"CL leading zero":        {get("Content-Length: 010\n"), ErrLength},
		"CL empty":               {get("Content-Length:\n"), ErrLength},
		"CL huge":                {get("Content-Length: 9999999999999999999\n"), ErrLength},
		"CL space inside":        {get("Content-Length: 1 1\n"), ErrLength},
		"TE gzip, chunked":       {get("Transfer-Encoding: gzip, chunked\n"), ErrCoding},
		"TE chunked, identity":   {get("Transfer-Encoding: chunked, identity\n"), ErrCoding},
		"TE xchunked":            {get("Transfer-Encoding: xchunked\n"), ErrCoding},
		"TE quoted":              {get("Transfer-Encoding: \"chunked\"\n"), ErrCoding},
		"TE vertical tab":        {get("Transfer-Encoding: \x0bchunked\n"), ErrControl},
		"TE identity":            {get("Transfer-Encoding: identity\n"), ErrCoding},
		"TE parameter":           {get("Transfer-Encoding: chunked;a=b\n"), ErrCoding},
		"TE twice":               {get("Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n"), ErrCodingTwice},
		"TE empty":               {get("Transfer-Encoding:\n"), ErrCoding},
		"TE 1.0":                 {crlf("POST / HTTP/1.0\nHost: x\nTransfer-Encoding: chunked\n\n"), ErrCodingOld},
		"no host":                {crlf("GET / HTTP/1.1\n\n"), ErrHostMissing},
		"two hosts":              {get("Host: x\n"), ErrHostTwice},
		"empty host":             {crlf("GET / HTTP/1.1\nHost:\n\n"), ErrHost},
		"host with user":         {crlf("GET / HTTP/1.1\nHost: a@b\n\n"), ErrHost},
		"host with path":         {crlf("GET / HTTP/1.1\nHost: a/b\n\n"), ErrHost},
		"host list":              {crlf("GET / HTTP/1.1\nHost: a, b\n\n"), ErrHost},
		"host with space":        {crlf("GET / HTTP/1.1\nHost: a b\n\n"), ErrHost},
		"host with 2 ports":      {crlf("GET / HTTP/1.1\nHost: a:80:81\n\n"), ErrHost},
		"host port name":         {crlf("GET / HTTP/1.1\nHost: a:abc\n\n"), ErrHost},
		"host port 0":            {crlf("GET / HTTP/1.1\nHost: a:0\n\n"), ErrHost},
		"host port 65536":        {crlf("GET / HTTP/1.1\nHost: a:65536\n\n"), ErrHost},
		"host only port":         {crlf("GET / HTTP/1.1\nHost: :80\n\n"), ErrHost},
		"host open bracket":      {crlf("GET / HTTP/1.1\nHost: [::1\n\n"), ErrHost},
		"host bracket name":      {crlf("GET / HTTP/1.1\nHost: [abc]\n\n"), ErrHost},
		"host percent":           {crlf("GET / HTTP/1.1\nHost: a%2fb\n\n"), ErrHost},
		"host two dots":          {crlf("GET / HTTP/1.1\nHost: a..b\n\n"), ErrHost},
		"absolute, other host":   {crlf("GET http://a/ HTTP/1.1\nHost: b\n\n"), ErrHostDiffers},
		"absolute, no Host":      {crlf("GET http://a/ HTTP/1.1\n\n"), ErrHostMissing},
		"absolute, empty host":   {crlf("GET http:///a HTTP/1.1\nHost: a\n\n"), ErrHost},
		"absolute, user":         {crlf("GET http://u@a/ HTTP/1.1\nHost: a\n\n"), ErrHost},
		"absolute, ftp":          {crlf("GET ftp://a/ HTTP/1.1\nHost: a\n\n"), ErrTarget},
		"target without slash":   {crlf("GET a HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target empty":           {crlf("GET  HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target 8 bit":           {crlf("GET /\xff HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target with space":      {crlf("GET /a b HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target with fragment":   {crlf("GET /a#b HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target with quote":      {crlf("GET /a\"b HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target with <":          {crlf("GET /a<b HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target backslash":       {crlf("GET /a\\b HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target bad percent":     {crlf("GET /a%zz HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"target cut percent":     {crlf("GET /a%2 HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"query with angle":       {crlf("GET /?<a> HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"query with control":     {crlf("GET /?a\x01 HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"asterisk":               {crlf("GET * HTTP/1.1\nHost: x\n\n"), ErrAsterisk},
		"CONNECT":                {crlf("CONNECT a:443 HTTP/1.1\nHost: a:443\n\n"), ErrMethodRefused},
		"TRACE":                  {crlf("TRACE / HTTP/1.1\nHost: x\n\n"), ErrMethodRefused},
		"lower-case method":      {crlf("get / HTTP/1.1\nHost: x\n\n"), ErrMethod},
		"method with colon":      {crlf("G:T / HTTP/1.1\nHost: x\n\n"), ErrMethod},
		"space first":            {crlf(" GET / HTTP/1.1\nHost: x\n\n"), ErrMethod},
		"tab between":            {crlf("GET\t/ HTTP/1.1\nHost: x\n\n"), ErrMethod},
		"two spaces":             {crlf("GET  / HTTP/1.1\nHost: x\n\n"), ErrTarget},
		"trailing space":         {crlf("GET / HTTP/1.1 \nHost: x\n\n"), ErrRequestLine},
		"HTTP/0.9":               {crlf("GET /\n"), ErrRequestLine},
		"version 1.2":            {crlf("GET / HTTP/1.2\nHost: x\n\n"), ErrVersion},
		"version 2.0":            {crlf("PRI * HTTP/2.0\n\nSM\n\n"), ErrVersion},
		"version lower case":     {crlf("GET / http/1.1\nHost: x\n\n"), ErrRequestLine},
		"version 1":              {crlf("GET / HTTP/1\nHost: x\n\n"), ErrRequestLine},
		"two empty lines":        {crlf("\n\nGET / HTTP/1.1\nHost: x\n\n"), ErrMethod},
		"TLS":                    {"\x16\x03\x01\x02\x00\x01\x00\x01", ErrMethod},
		"Connection not a token": {get("Connection: a b\n"), ErrConnection},
		"Expect":                 {get("Expect: 200-ok\n"), ErrExpect},
		"long line":              {crlf("GET /" + strings.Repeat("a", MaxLine) + " HTTP/1.1\nHost: x\n\n"), ErrLineTooLong},
		"endless line":           {"GET /" + strings.Repeat("a", MaxLine+10), ErrLineTooLong},
		"large head":             {get("A: " + strings.Repeat("b", MaxHead) + "\n"), ErrHeadTooLarge},
		"many fields":            {get(strings.Repeat("A: b\n", MaxFields)), ErrTooManyFields},
	} {
		t.Run(name, func(t *testing.T) {
			if _, done, err := parseRequest(t, c.text); err != c.want {
				t.Errorf("done %v, error %v, want %v", done, err, c.want)
			}
		})
	}
}

// A head that arrives byte by byte is read like one that arrives at once.
func TestRequestByteByByte(t *testing.T) {
	text := []byte(crlf("POST /a/b?c HTTP/1.1\nHost: x.test\nContent-Length: 3\nA: b\n\n"))
	var r Request
	for n := range text {
		if done, err := r.Parse(text[:n], Limits{}); done || err != nil {
			t.Fatalf("after %d bytes: done %v, error %v", n, done, err)
		}
	}
	done, err := r.Parse(text, Limits{})
	if !done || err != nil || r.Length != 3 || r.Size != len(text) || len(r.Fields) != 3 {
		t.Errorf("done %v, error %v, %+v", done, err, r)
	}
}

func TestWebSocketRequest(t *testing.T) {
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n\n":                      true,
		"GET / HTTP/1.1\nHost: x\nConnection: keep-alive, upgrade\nUpgrade: WebSocket\n\n":          true,
		"GET / HTTP/1.1\nHost: x\nUpgrade: websocket\n\n":                                           false,
		"GET / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: h2c\n\n":                            false,
		"POST / HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n\n":                     false,
		"GET / HTTP/1.0\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n\n":                      false,
		"GET / HTTP/1.1\nHost: x\nContent-Length: 2\nConnection: Upgrade\nUpgrade: websocket\n\nab": false,
	} {
		r, done, err := parseRequest(t, crlf(text))
		if !done || err != nil || r.WebSocket != want {
			t.Errorf("%q: done %v, error %v, WebSocket %v", text, done, err, r.WebSocket)
		}
	}
}

func TestNamedBy(t *testing.T) {
	text := []byte(crlf("GET / HTTP/1.1\nHost: x\nConnection: close, X-One\nX-one: 1\nX-Two: 2\n\n"))
	var r Request
	if _, err := r.Parse(text, Limits{}); err != nil {
		t.Fatal(err)
	}
	if !r.Options.Named || !r.Fields.NamedBy(text, []byte("x-one")) || r.Fields.NamedBy(text, []byte("x-two")) {
		t.Errorf("named %v", r.Options.Named)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	text := []byte(crlf("GET /a/b?c HTTP/1.1\nHost: x.test\nUser-Agent: test\nAccept: */*\nConnection: keep-alive\n\n"))
	var r Request
	if n := testing.AllocsPerRun(100, func() {
		r.Reset()
		if done, err := r.Parse(text, Limits{}); !done || err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	text := []byte(crlf("GET /a/b?c HTTP/1.1\nHost: x.test\nUser-Agent: test\nAccept: */*\nConnection: keep-alive\n\n"))
	var r Request
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if done, err := r.Parse(text, Limits{}); !done || err != nil {
			b.Fatal(err)
		}
	}
}
