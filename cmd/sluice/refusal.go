package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/manifest"
)

// refusal is why a server refused a request, as its RFC 9457 document says.
type refusal struct {
	Title  string         `json:"title"`
	Detail string         `json:"detail"`
	Errors []fieldRefusal `json:"errors"`
	advice string
}

// fieldRefusal is what is wrong with one field.
type fieldRefusal struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (f fieldRefusal) String() string { return f.Field + ": " + f.Message }

// Error implements error: a line of its own for each field.
func (r *refusal) Error() string {
	lines := []string{}
	if text := cmp.Or(r.Detail, r.Title); text != "" {
		lines = append(lines, text)
	}
	for _, e := range r.Errors {
		lines = append(lines, e.String())
	}
	if r.advice != "" {
		lines = append(lines, r.advice)
	}
	return strings.Join(lines, "\n  ")
}

// problem turns an RFC 9457 document into an error.
func problem(resp *http.Response) error {
	r := &refusal{}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if json.Unmarshal(b, r) != nil || r.Title+r.Detail == "" {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(b)))
	}
	if len(r.Errors) > 0 && r.Detail == r.Errors[0].String() {
		r.Title, r.Detail = "", "" // the field's line says it
	}
	if resp.StatusCode == http.StatusUnauthorized {
		r.advice = "the token is not this server's: see <dataDir>/admin.token there"
	}
	return r
}

var ofObject = regexp.MustCompile(`^objects\[(\d+)\]\.?(.*)$`)

// locate names the file, line and object of what is wrong with one of the items that were sent,
// where the server knows their places in the request only.
func (r *refusal) locate(items []manifest.Item) {
	for i := range r.Errors {
		e := &r.Errors[i]
		m := ofObject.FindStringSubmatch(e.Field)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n >= len(items) {
			continue
		}
		e.Field = fmt.Sprintf("%s: %s", items[n].Where(), items[n].Object.Head().Ref())
		if m[2] != "" {
			e.Field += ": " + m[2]
		}
	}
}
