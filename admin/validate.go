package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	middleware "github.com/oapi-codegen/nethttp-middleware"

	"github.com/sluice-gateway/sluice/admin/api"
	"github.com/sluice-gateway/sluice/gateway"
)

// validator checks requests against openapi.yaml before they reach an operation, so that an
// unknown key, a missing one or a value of the wrong type is refused with its path.
func validator() (func(http.Handler) http.Handler, error) {
	spec, err := api.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return middleware.OapiRequestValidatorWithOptions(spec, &middleware.Options{
		Options: openapi3filter.Options{
			MultiError:                 true,
			AuthenticationFunc:         openapi3filter.NoopAuthenticationFunc, // auth.Require has done it
			SkipSettingDefaults:        true,
			ExcludeReadOnlyValidations: true, // what was read may be written back
		},
		SilenceServersWarning: true,
		DiscardValidatedValue: true,
		ErrorHandlerWithOpts: func(_ context.Context, err error, w http.ResponseWriter, r *http.Request, _ middleware.ErrorHandlerOpts) {
			WriteError(w, r, refused(r, err))
		},
	}), nil
}

// refused turns what the validator found into one of our errors.
func refused(r *http.Request, err error) error {
	switch {
	case errors.Is(err, routers.ErrMethodNotAllowed):
		return &statusError{http.StatusMethodNotAllowed, api.Invalid, fmt.Sprintf("%s is not possible here", r.Method)}
	case errors.Is(err, routers.ErrPathNotFound):
		return &statusError{http.StatusNotFound, api.NotFound, "the API has no such path: see admin/openapi.yaml"}
	}
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return fmt.Errorf("the body is larger than %d bytes: split it: %w", large.Limit, large)
	}
	var fields []api.FieldError
	collect(err, "", &fields)
	// oneOf reports each reason once for the whole and once for the part.
	slices.SortStableFunc(fields, func(a, b api.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return &invalidFields{fields: slices.Compact(fields)}
}

// collect walks the tree of errors down to those that name a field.
func collect(err error, where string, out *[]api.FieldError) {
	switch e := err.(type) { //nolint:errorlint // this walk is what unwraps: each level says where it is
	case openapi3.MultiError:
		for _, err := range e {
			collect(err, where, out)
		}
		return
	case *openapi3filter.RequestError:
		if e.Parameter != nil {
			where = e.Parameter.Name
		}
		if errors.Is(e.Err, openapi3filter.ErrInvalidRequired) {
			*out = append(*out, api.FieldError{Field: cmp.Or(where, "body"), Message: "it is needed, and missing"})
			return
		}
		if e.Err != nil {
			collect(e.Err, where, out)
			return
		}
		*out = append(*out, api.FieldError{Field: where, Message: e.Reason})
		return
	case *openapi3.SchemaError:
		if inner := origin(e); inner != nil {
			collect(ofItsKind(inner), where, out)
			return
		}
		*out = append(*out, fieldError(e, where))
		return
	case *openapi3filter.ParseError:
		*out = append(*out, api.FieldError{Field: cmp.Or(where, "body"), Message: "it cannot be read: " + rootCause(e)})
		return
	}
	if inner := errors.Unwrap(err); inner != nil {
		collect(inner, where, out)
		return
	}
	*out = append(*out, api.FieldError{Field: where, Message: err.Error()})
}

// origin is the error inside a oneOf or allOf, which says more than the outer one.
func origin(e *openapi3.SchemaError) error {
	var inner *openapi3.SchemaError
	var multi openapi3.MultiError
	if e.Origin != nil && (errors.As(e.Origin, &inner) || errors.As(e.Origin, &multi)) {
		return e.Origin
	}
	return nil
}

// ofItsKind leaves out alternatives of a oneOf that are for another kind of value, if there is one
// for this kind: that a word is no object either does not help.
func ofItsKind(err error) error {
	var all, some openapi3.MultiError
	if !errors.As(err, &all) {
		return err
	}
	for _, alternative := range all {
		if s := (*openapi3.SchemaError)(nil); !errors.As(alternative, &s) || isKind(s.Value, s.Schema.Type) {
			some = append(some, alternative)
		}
	}
	if len(some) == 0 {
		return err
	}
	return some
}

// isKind says whether a value has one of the types.
func isKind(value any, of *openapi3.Types) bool {
	switch value.(type) {
	case nil:
		return of.Permits(openapi3.TypeNull)
	case bool:
		return of.Permits(openapi3.TypeBoolean)
	case string:
		return of.Permits(openapi3.TypeString)
	case []any:
		return of.Permits(openapi3.TypeArray)
	case map[string]any:
		return of.Permits(openapi3.TypeObject)
	}
	return of.Permits(openapi3.TypeNumber) || of.Permits(openapi3.TypeInteger)
}

func rootCause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// fieldError says what is wrong in words that tell what to do.
func fieldError(e *openapi3.SchemaError, where string) api.FieldError {
	f := api.FieldError{Field: fieldPath(where, e.JSONPointer()), Message: e.Reason}
	switch e.SchemaField {
	case "properties", "additionalProperties":
		if key, ok := between(e.Reason, `property "`, `" is unsupported`); ok {
			f.Message = fmt.Sprintf("unknown key %q%s", key, known(e.Schema))
		}
	case "required":
		if key, ok := between(e.Reason, `property "`, `" is missing`); ok {
			f.Field, f.Message = fieldPath(where, without1(e.JSONPointer(), key)), fmt.Sprintf("key %q is missing", key)
		}
	case "pattern":
		f.Message = fmt.Sprintf("%q %s", fmt.Sprint(e.Value), expected(e.Schema))
	case "enum":
		f.Message = fmt.Sprintf("%q does not fit here: write %s", fmt.Sprint(e.Value), oneOf(e.Schema.Enum))
	case "type":
		f.Message = "here goes " + article(strings.Join(e.Schema.Type.Slice(), " or "))
	case "minProperties":
		f.Message = "it names nothing" + known(e.Schema)
	case "maxProperties":
		f.Message = fmt.Sprintf("it has more keys than the %d that is possible: give each an entry of its own", *e.Schema.MaxProps)
	case "discriminator":
		f.Message = "key \"kind\" is needed, and has to be one of " + strings.Trim(fmt.Sprint(gateway.Kinds), "[]")
	}
	return f
}

// oneOf lists alternatives as people do: a, b or c.
func oneOf(values []any) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case i > 0 && i == len(values)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, v)
	}
	return b.String()
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// expected says what a value of the schema looks like.
func expected(s *openapi3.Schema) string {
	switch s.Format {
	case "duration":
		return "is not a duration: write a number and a unit, such as 500ms, 2s or 1h30m"
	case "size":
		return "is not a size: write bytes, or a number with k, m or g, such as 64k or 10m"
	}
	if s.MaxLength != nil && *s.MaxLength == 63 {
		return "is not a name: use lower-case letters, digits, hyphens and dots, beginning and ending with a letter or digit"
	}
	return "does not have the form " + s.Pattern
}

// known lists the keys that would be accepted.
func known(s *openapi3.Schema) string {
	keys := make([]string, 0, len(s.Properties))
	for k, p := range s.Properties {
		if p.Value == nil || !p.Value.ReadOnly {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	slices.Sort(keys)
	return "; known keys are " + strings.Join(keys, ", ")
}

// fieldPath writes a JSON pointer as people write paths: spec.endpoints[0].weight.
func fieldPath(where string, pointer []string) string {
	var b strings.Builder
	b.WriteString(where)
	for _, p := range pointer {
		if _, err := strconv.Atoi(p); err == nil {
			b.WriteString("[" + p + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(p)
	}
	return b.String()
}

// without1 drops a last element that is key.
func without1(pointer []string, key string) []string {
	if n := len(pointer); n > 0 && pointer[n-1] == key {
		return pointer[:n-1]
	}
	return pointer
}

func between(s, before, after string) (string, bool) {
	_, s, ok := strings.Cut(s, before)
	if !ok {
		return "", false
	}
	s, _, ok = strings.Cut(s, after)
	return s, ok
}
