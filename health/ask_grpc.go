package health

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"google.golang.org/protobuf/encoding/protowire"
)

// grpcAsk returns what calls grpc.health.v1.Health/Check. grpc's own client keeps a
// connection with goroutines and a resolver for each address, and the message is one string.
// See https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
func grpcAsk(t Target) (askFunc, error) {
	var request []byte
	if t.Check.Service != "" {
		request = protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), t.Check.Service)
	}
	message := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(request))), request...) //nolint:gosec // a name, not gigabytes
	fields := []field{{"content-type", "application/grpc"}, {"te", "trailers"}}
	for _, f := range probeFields(t.Check) {
		if f.name != "Accept" && f.name != "Content-Type" {
			fields = append(fields, f)
		}
	}
	return func(conn net.Conn, address string) (int, error) {
		head := http2Head(t, "POST", "/grpc.health.v1.Health/Check", cmp.Or(t.Check.Host, address), fields)
		a, err := http2Exchange(conn, head, message)
		if err != nil {
			return a.status, err
		}
		return a.status, serving(a, t.Check.Service)
	}, nil
}

// serving judges the answer of the health service.
func serving(a answer, service string) error {
	if a.status != 200 {
		return fmt.Errorf("status %d, expected a gRPC answer", a.status)
	}
	switch code := a.fields["grpc-status"]; code {
	case "0":
	case "5":
		return fmt.Errorf("does not know the service %q", service)
	case "12":
		return errors.New("has no health service: grpc status 12, unimplemented")
	case "":
		return errors.New("the answer is not gRPC: it has no grpc-status")
	default:
		return fmt.Errorf("grpc status %s: %s", printable([]byte(code)), printable([]byte(a.fields["grpc-message"])))
	}
	switch state, err := servingStatus(a.body); {
	case err != nil:
		return err
	case state == 1:
		return nil
	case state < uint64(len(servingStates)):
		return errors.New("says " + servingStates[state] + ", expected SERVING")
	default:
		return fmt.Errorf("says status %d, expected SERVING (1)", state)
	}
}

// servingStates are the names of HealthCheckResponse.ServingStatus.
var servingStates = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// servingStatus is field 1 of the only message.
func servingStatus(body []byte) (state uint64, err error) {
	broken := errors.New("the answer of the health service cannot be read")
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:])) != uint64(len(body)-5) {
		return 0, broken
	}
	for rest := body[5:]; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return 0, broken
		}
		rest = rest[n:]
		if number == 1 && kind == protowire.VarintType {
			state, n = protowire.ConsumeVarint(rest)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, rest)
		}
		if n < 0 {
			return 0, broken
		}
		rest = rest[n:]
	}
	return state, nil
}
