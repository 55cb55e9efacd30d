package proxy

import (
	"github.com/sluice-gateway/sluice/proxy/proxyproto"
	"github.com/sluice-gateway/sluice/proxy/socket"
)

// proxyVersion reads an upstream's proxyProtocol.
func proxyVersion(s string) proxyproto.Version {
	switch s {
	case "v1":
		return proxyproto.V1
	case "v2":
		return proxyproto.V2
	}
	return 0
}

// introduce sends the PROXY header on a new connection, if the upstream wants one. Since the
// header names one client, the connection serves one exchange and is never kept: kept ones
// could serve the same client connection only, and rarely would, as requests go to one
// endpoint after the other.
func (x *exchange) introduce(uc *socket.Conn) error {
	v := x.rot.proxyProtocol
	if v == 0 {
		return nil
	}
	var room [128]byte
	uc.SetWriteDeadline(socket.Now() + int64(x.rot.connect))
	if _, err := uc.Write(proxyproto.Append(room[:0], v, x.c.from, x.c.destination())); err != nil {
		return errConnect
	}
	return nil
}
