package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
)

// FilePair names a certificate chain and its key, in PEM.
type FilePair struct{ CertFile, KeyFile string }

// Files are certificates from files. Run reads them again when they change; whatever cannot
// be used leaves the certificate from before in force.
type Files struct {
	log   *slog.Logger
	pairs []*filePair
	live  atomic.Pointer[fileTable]

	mu      sync.Mutex
	problem string // guarded by mu; what is wrong with the files now
}

// filePair is one of Files. It belongs to whoever checks.
type filePair struct {
	FilePair
	fallback bool
	pair     *tls.Certificate
	stamp    string
	failed   error
}

// fileTable finds certificates by name. It is only read.
type fileTable struct {
	exact, wildcard map[string]*tls.Certificate
	fallback        *tls.Certificate
}

// LoadFiles reads all pairs, and fails when one of them cannot be used. fallback (its zero
// value: there is none) serves handshakes for names that nothing else is good for.
func LoadFiles(fallback FilePair, pairs []FilePair, log *slog.Logger) (*Files, error) {
	f := &Files{log: cmp.Or(log, slog.Default())}
	if fallback != (FilePair{}) {
		f.pairs = append(f.pairs, &filePair{FilePair: fallback, fallback: true})
	}
	for _, p := range pairs {
		f.pairs = append(f.pairs, &filePair{FilePair: p})
	}
	var errs []error
	for _, p := range f.pairs {
		p.load()
		errs = append(errs, p.failed)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	f.publish()
	return f, nil
}

// load reads the pair, and keeps the old one when the new one cannot be used.
func (p *filePair) load() {
	p.stamp = p.look()
	pair, err := p.read()
	if p.failed = err; err == nil {
		p.pair = pair
	}
}

func (p *filePair) read() (*tls.Certificate, error) {
	chain, err := os.ReadFile(p.CertFile)
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	key, err := os.ReadFile(p.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read a certificate's key: %w", err)
	}
	pair, err := gateway.ParseCertificate(string(chain), gateway.Secret(key))
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", p.CertFile, p.KeyFile, err)
	}
	return pair, nil
}

// look gives a text that changes whenever one of the files does.
func (p *filePair) look() string {
	var b strings.Builder
	for _, path := range []string{p.CertFile, p.KeyFile} {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintln(&b, err)
			continue
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok { // a rename within one tick of the file system's clock
			fmt.Fprint(&b, s.Ino, " ")
		}
		fmt.Fprintln(&b, info.ModTime().UnixNano(), info.Size())
	}
	return b.String()
}

func (f *Files) publish() {
	t := &fileTable{exact: map[string]*tls.Certificate{}, wildcard: map[string]*tls.Certificate{}}
	for _, p := range f.pairs {
		if p.fallback {
			t.fallback = p.pair
		}
		for _, n := range p.pair.Leaf.DNSNames {
			n = strings.ToLower(n)
			m := t.exact
			if after, ok := strings.CutPrefix(n, "*."); ok {
				n, m = after, t.wildcard
			}
			if m[n] == nil { // the first one has it
				m[n] = p.pair
			}
		}
	}
	f.live.Store(t)
}

// Run looks for changed files every interval until ctx ends. Looking sees every kind of
// change, symbolic links and network file systems included.
func (f *Files) Run(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			f.Check()
		}
	}
}

// Check reads again what has changed. Certificate and key are two files, so a pair that does
// not fit together is tried again each time.
func (f *Files) Check() {
	changed := false
	var errs []error
	for _, p := range f.pairs {
		if p.failed != nil || p.look() != p.stamp {
			before := p.pair
			p.load()
			if p.pair != before {
				changed = true
				f.log.Info("certificate read again", "file", p.CertFile, "expires", p.pair.Leaf.NotAfter)
			}
		}
		errs = append(errs, p.failed)
	}
	if changed {
		f.publish()
	}
	f.note(errors.Join(errs...))
}

func (f *Files) note(err error) {
	text := ""
	if err != nil {
		text = err.Error() + " The certificate from before stays in force."
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if text != "" && text != f.problem {
		f.log.Error("certificate files cannot be used: the ones from before stay in force", "err", err)
	}
	f.problem = text
}

// Problems tells what is wrong with the files now.
func (f *Files) Problems() []gateway.Problem {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.problem == "" {
		return nil
	}
	var names []string
	for _, p := range f.pairs {
		names = append(names, p.CertFile)
	}
	return []gateway.Problem{{Object: gateway.Ref{Kind: "Files", Name: strings.Join(names, ", ")}, Code: "files_invalid", Message: f.problem, Source: "listener"}}
}
