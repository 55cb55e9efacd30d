package http1

// Method is a request method that means something to a proxy.
type Method uint8

// The methods that a proxy tells apart.
const (
	MethodOther Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodOptions
)

// Idempotent says whether sending a request twice does no more than once (RFC 9110
// section 9.2.2).
func (m Method) Idempotent() bool { return m != MethodOther && m != MethodPost }

func methodOf(m []byte) Method {
	switch string(m) {
	case "GET":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT":
		return MethodPut
	case "DELETE":
		return MethodDelete
	case "OPTIONS":
		return MethodOptions
	}
	return MethodOther
}
