package certs

import (
	"crypto/tls"
	"strings"
)

// suites are those of TLS 1.2 with forward secrecy and authenticated encryption. Those of
// TLS 1.3 are all like that.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Server answers the handshakes of one listener.
type Server struct {
	table  func() *Table
	files  *Files
	config *tls.Config
}

// NewServer makes a server that finds certificates in the table of the moment (which may be
// nil) and then in files (nil: there are none). alpn lists the protocols, the preferred one
// first.
func NewServer(table func() *Table, files *Files, alpn []string) *Server {
	s := &Server{table: table, files: files}
	s.config = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		CipherSuites: suites,
		NextProtos:   alpn,
		// Small records would cost a system call each; nginx sends full ones, too.
		DynamicRecordSizingDisabled: true,
		GetConfigForClient:          s.configFor,
		// No certificate, and no error, is the alert unrecognized_name.
		GetCertificate: s.certificateFor,
	}
	return s
}

// Config is for tls.Server.
func (s *Server) Config() *tls.Config { return s.config }

// SetTicketKeys sets the keys of session tickets: the first one makes them, all open them.
// Connections that are open are not touched.
func (s *Server) SetTicketKeys(keys [][32]byte) { s.config.SetSessionTicketKeys(keys) }

// noter is the connection below TLS, which remembers under which policy it was let in.
type noter interface{ Note(v any) }

// configFor asks the client for a certificate where the host wants it. Resumed sessions are
// held to the same: crypto/tls verifies the certificate in the ticket against these CAs.
func (s *Server) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	table := s.table()
	if !table.Guards() {
		return nil, nil
	}
	e := table.Find(lower(hello.ServerName))
	if e == nil || e.Policy == nil {
		return nil, nil
	}
	if n, ok := hello.Conn.(noter); ok {
		n.Note(e.Policy)
	}
	cfg := s.config.Clone()
	cfg.GetConfigForClient = nil
	cfg.ClientCAs = e.Policy.CAs
	cfg.ClientAuth = tls.VerifyClientCertIfGiven
	if e.Policy.Required {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

func (s *Server) certificateFor(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.find(lower(hello.ServerName)), nil
}

// find looks an exact name up everywhere before it looks for a wildcard.
func (s *Server) find(name string) *tls.Certificate {
	t := s.table()
	var f *fileTable
	if s.files != nil {
		f = s.files.live.Load()
	}
	if t != nil {
		if e := t.exact[name]; e != nil {
			return e.Pair
		}
	}
	if f != nil && f.exact[name] != nil {
		return f.exact[name]
	}
	up := parent(name)
	if t != nil {
		if e := t.wildcard[up]; e != nil {
			return e.Pair
		}
	}
	switch {
	case f == nil:
		return nil
	case f.wildcard[up] != nil:
		return f.wildcard[up]
	}
	return f.fallback
}

// lower is the name in lower case. Clients send it so, and then it costs nothing.
func lower(name string) string { return strings.ToLower(name) }
