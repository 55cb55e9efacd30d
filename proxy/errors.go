package proxy

import (
	"errors"
	"net/http"

	"github.com/sluice-gateway/sluice/proxy/http1"
)

// What Sluice answers by itself. Class is the reason in the body, the access log and the
// metrics.
var (
	errStarting      = &http1.Error{Status: 503, Class: "starting", Text: "no configuration yet"}
	errNoHost        = &http1.Error{Status: 404, Class: "unknown_host", Text: "no route for this host"}
	errNoPath        = &http1.Error{Status: 404, Class: "unknown_path", Text: "no route for this path"}
	errNoRule        = &http1.Error{Status: 404, Class: "unknown_request", Text: "no route takes this method, these headers or this query under the path"}
	errRefusedClient = &http1.Error{Status: 403, Class: "client_address", Text: "the route does not take requests from this address"}
	errPath          = &http1.Error{Status: 400, Class: "path", Text: "the path can be read in more than one way"}
	errSlowHead      = &http1.Error{Status: 408, Class: "slow_head", Text: "the request head took too long"}
	errSlowBody      = &http1.Error{Status: 408, Class: "slow_body", Text: "the request body took too long"}
	// errMisdirected: RFC 9110 section 15.5.20.
	errMisdirected = &http1.Error{Status: 421, Class: "misdirected", Text: "this host wants a connection of its own, with the client's certificate"}
	errNoEndpoint  = &http1.Error{Status: 503, Class: "no_endpoint", Text: "no endpoint is in rotation"}
	errConnect     = &http1.Error{Status: 502, Class: "connect", Text: "no endpoint could be reached"}
	// errConnectSlow is errConnect after the connect timeout.
	errConnectSlow  = &http1.Error{Status: 504, Class: "connect_timeout", Text: "no endpoint could be reached in time"}
	errSlowUpstream = &http1.Error{Status: 504, Class: "timeout", Text: "the endpoint did not answer in time"}
	errMalformed    = &http1.Error{Status: 502, Class: "malformed", Text: "the endpoint's answer is malformed"}
	// errNoAnswer: closed before the first byte of an answer.
	errNoAnswer = &http1.Error{Status: 502, Class: "reset", Text: "the endpoint closed the connection without an answer"}
	// errCut: closed within the head of an answer.
	errCut = &http1.Error{Status: 502, Class: "reset", Text: "the endpoint closed the connection within its answer"}
	// errQueueFull and errQueueLate: the upstream has as much to do as its limits allow.
	errQueueFull = &http1.Error{Status: 503, Class: "queue_full", Text: "the upstream is busy, and so is its queue"}
	errQueueLate = &http1.Error{Status: 503, Class: "queue_timeout", Text: "the upstream was busy for too long"}

	// errRefused: the endpoint did not begin to process the request.
	errRefused = &http1.Error{Status: 502, Class: "refused", Text: "the endpoint refused the request before it began with it"}

	errUnasked   = &http1.Error{Status: 502, Class: "unasked_upgrade", Text: "the endpoint switched protocols without being asked"}
	errNoUpgrade = &http1.Error{Status: 502, Class: "no_upgrade", Text: "the endpoint did not switch protocols"}
	errWrongKey  = &http1.Error{Status: 502, Class: "websocket_accept", Text: "the endpoint's Sec-WebSocket-Accept does not answer the key"}
	errShort     = &http1.Error{Status: 502, Class: "content_length", Text: "the endpoint's answer is shorter than it says"}
	errProtocol  = &http1.Error{Status: 501, Class: "protocol", Text: "only WebSocket can be switched to"}
	errInterims  = &http1.Error{Status: 502, Class: "interim_flood", Text: "the endpoint sends interim answers without end"}
)

// retryAfter is a field for clients that may come again soon.
func retryAfter(e *http1.Error) string {
	if e == errQueueFull || e == errQueueLate {
		return "Retry-After: 1\r\n"
	}
	return ""
}

// errClientGone: there is nobody to answer.
var errClientGone = errors.New("client left")

// statusText is the reason phrase of a status; those that Sluice answers itself come first.
func statusText(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 413:
		return "Content Too Large"
	case 414:
		return "URI Too Long"
	case 417:
		return "Expectation Failed"
	case 421:
		return "Misdirected Request"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 501:
		return "Not Implemented"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	case 504:
		return "Gateway Timeout"
	case 505:
		return "HTTP Version Not Supported"
	}
	return http.StatusText(status)
}
