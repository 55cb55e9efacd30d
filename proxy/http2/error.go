package http2

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2"
)

// Code is an error code of RFC 9113 section 7.
type Code = http2.ErrCode

// The codes that callers give or look at.
const (
	NoError      = http2.ErrCodeNo
	Protocol     = http2.ErrCodeProtocol
	Internal     = http2.ErrCodeInternal
	Cancel       = http2.ErrCodeCancel
	Refused      = http2.ErrCodeRefusedStream
	CalmDown     = http2.ErrCodeEnhanceYourCalm
	flowControl  = http2.ErrCodeFlowControl
	streamClosed = http2.ErrCodeStreamClosed
	frameSize    = http2.ErrCodeFrameSize
	compression  = http2.ErrCodeCompression
)

// ErrReset is returned when the peer has reset the stream.
var ErrReset = errors.New("the peer reset the stream")

// ErrRefused is returned for a stream that the peer did not begin to process, which may be
// tried again (RFC 9113 section 8.7).
var ErrRefused = errors.New("the peer refused the stream")

// ErrClosed is returned when the connection has ended.
var ErrClosed = errors.New("the HTTP/2 connection is closed")

// ErrBusy is returned by Open when the peer takes no further stream for now.
var ErrBusy = errors.New("the peer takes no further stream")

// ErrMalformed is returned by a stream whose peer broke the rules of messages.
var ErrMalformed = errors.New("malformed HTTP/2 message")

// fault ends a connection.
type fault struct {
	code Code
	text string
}

// Error implements error.
func (f *fault) Error() string { return fmt.Sprintf("%s: %s", f.code, f.text) }

func faultf(code Code, format string, args ...any) error {
	return &fault{code, fmt.Sprintf(format, args...)}
}

// CodeOf is the code that an error of Run was told to the peer with, NoError when the
// connection ended in peace.
func CodeOf(err error) Code {
	var f *fault
	if errors.As(err, &f) {
		return f.code
	}
	return NoError
}
