package proxy

import (
	"bytes"
	"math"
	"strconv"

	"github.com/sluice-gateway/sluice/proxy/http1"
	"github.com/sluice-gateway/sluice/proxy/http2"
)

var (
	contentType = []byte("content-type")
	grpcType    = []byte("application/grpc")
	grpcTimeout = []byte("grpc-timeout")
)

// isGRPC says whether a request is a call of gRPC.
func isGRPC(r *http1.Request, b []byte) bool {
	v := valueOf(r, b, contentType)
	return bytes.HasPrefix(v, grpcType) && (len(v) == len(grpcType) || bytes.IndexByte([]byte("+; "), v[len(grpcType)]) >= 0)
}

// valueOf is the value of the first field of that name.
func valueOf(r *http1.Request, b, name []byte) []byte {
	for i := range r.Fields {
		if f := &r.Fields[i]; f.Key == http1.KeyOther && http1.EqualFold(f.Name.Of(b), name) {
			return f.Value.Of(b)
		}
	}
	return nil
}

// callTime is how long a call may take by its grpc-timeout, in nanoseconds; 0: for ever.
func callTime(r *http1.Request, b []byte) int64 {
	v := valueOf(r, b, grpcTimeout)
	if len(v) < 2 || len(v) > 9 {
		return 0
	}
	n, err := strconv.ParseInt(string(v[:len(v)-1]), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	unit := map[byte]int64{'H': 3600e9, 'M': 60e9, 'S': 1e9, 'm': 1e6, 'u': 1e3, 'n': 1}[v[len(v)-1]]
	if unit == 0 || n > math.MaxInt64/4/unit {
		return 0
	}
	return max(n*unit, 1)
}

// appendStatus appends the head of an answer that tells a gRPC client what e tells others: a
// status in trailers without a body, as
// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md maps it.
func (f *streamFront) appendStatus(x *exchange, e *http1.Error) []byte {
	b := http2.AppendStatus(f.out.block[:0], 200)
	b = appendCode(http2.AppendField(b, contentType, grpcType), x, e)
	b = appendLines(b, []byte(*f.c.p.date.Load()))
	if x.route != nil && x.route.response != nil {
		b = appendLines(b, x.route.response.typed)
	}
	return b
}

// appendCode appends the status and its message.
func appendCode(b []byte, x *exchange, e *http1.Error) []byte {
	b = http2.AppendField(b, []byte("grpc-status"), strconv.AppendInt(nil, grpcCode(e), 10))
	text := "sluice: " + e.Class + ": " + e.Text + ", request id "
	return http2.AppendField(b, []byte("grpc-message"), appendID([]byte(text), x.requestID()))
}

// endCall ends a call of gRPC, whose answer has begun, with a status, and reports whether it did.
func (x *exchange) endCall(e *http1.Error) bool {
	f, ok := x.front.(*streamFront)
	if !ok || !x.call {
		return false
	}
	f.out.block = appendCode(f.out.block[:0], x, e)
	return f.st.SendHead(f.out.block, true, f.out.stall) == nil
}

// The status codes of gRPC that a proxy has reason to give.
const (
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
)

func grpcCode(e *http1.Error) int64 {
	switch e.Status {
	case 400:
		return grpcInternal
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 413, 431:
		return grpcResourceExhausted
	case 408, 504:
		return grpcDeadlineExceeded
	case 429, 502, 503:
		return grpcUnavailable
	}
	return grpcUnknown
}
