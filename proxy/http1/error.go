package http1

// Error is why a message is refused. Values are fixed, so that refusing costs no
// allocation and Class can be a metric label.
type Error struct {
	// Status is the answer to a client that sent the message. A response that is refused
	// becomes 502 whatever stands here.
	Status int
	// Class names the reason in a few stable words, such as "bare_lf".
	Class string
	// Text says what is wrong, for the client that has to mend it.
	Text string
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

func bad(class, text string) *Error { return &Error{Status: 400, Class: class, Text: text} }

// The reasons for refusing a message.
var (
	ErrBareLF        = bad("bare_lf", "line does not end in CRLF")
	ErrControl       = bad("control_byte", "control byte in head")
	ErrRequestLine   = bad("request_line", "malformed request line")
	ErrMethod        = bad("method", "malformed method")
	ErrTarget        = bad("target", "malformed request target")
	ErrAsterisk      = bad("target", "target * is for OPTIONS only")
	ErrName          = bad("field_name", "malformed field name")
	ErrFold          = bad("obs_fold", "folded header line")
	ErrHost          = bad("host", "malformed Host")
	ErrHostMissing   = bad("host", "Host is missing")
	ErrHostTwice     = bad("host", "Host is given twice")
	ErrHostDiffers   = bad("host", "Host differs from the request target")
	ErrLength        = bad("content_length", "malformed Content-Length")
	ErrLengthTwice   = bad("content_length", "Content-Length is given twice")
	ErrCoding        = bad("transfer_encoding", "Transfer-Encoding is not exactly chunked")
	ErrCodingTwice   = bad("transfer_encoding", "Transfer-Encoding is given twice")
	ErrCodingOld     = bad("transfer_encoding", "Transfer-Encoding in an HTTP/1.0 message")
	ErrLengthCoding  = bad("framing", "Content-Length beside Transfer-Encoding")
	ErrConnection    = bad("connection", "malformed Connection")
	ErrChunkSize     = bad("chunk", "malformed chunk size")
	ErrChunkExt      = bad("chunk", "malformed chunk extension")
	ErrChunkEnd      = bad("chunk", "chunk data does not end in CRLF")
	ErrTrailer       = bad("trailer", "field is not allowed in trailers")
	ErrStatusLine    = bad("status_line", "malformed status line")
	ErrBodyForbidden = bad("framing", "status does not allow a body")
	ErrMethodRefused = &Error{405, "method", "method is not served here"}
	ErrExpect        = &Error{417, "expect", "unknown expectation"}
	ErrLineTooLong   = &Error{414, "request_line", "request line is too long"}
	ErrHeadTooLarge  = &Error{431, "head_size", "head is too large"}
	ErrTooManyFields = &Error{431, "head_fields", "too many header fields"}
	ErrVersion       = &Error{505, "version", "HTTP version is not served here"}
)
