package dns

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-gateway/sluice/discovery"
	"github.com/sluice-gateway/sluice/gateway"
)

// faulty is a name server whose answers the test writes.
type faulty struct {
	addr     string
	udp, tcp atomic.Int64 // questions that came

	mu     sync.Mutex
	answer func(w dns.ResponseWriter, q *dns.Msg)
}

func newFaulty(t *testing.T, answer func(dns.ResponseWriter, *dns.Msg)) *faulty {
	t.Helper()
	f := &faulty{answer: answer}
	var listener net.Listener
	var packets net.PacketConn
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if packets, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			listener = l
			break
		}
		_ = l.Close()
	}
	if listener == nil {
		t.Fatal("no port is free for UDP and TCP")
	}
	f.addr = listener.Addr().String()
	for _, s := range []*dns.Server{{Listener: listener, Handler: f}, {PacketConn: packets, Handler: f}} {
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(ended)
			if err := s.ActivateAndServe(); err != nil {
				t.Errorf("serve: %v", err)
			}
		}()
		<-started
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-ended
		})
	}
	return f
}

func (f *faulty) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if w.RemoteAddr().Network() == "udp" {
		f.udp.Add(1)
	} else {
		f.tcp.Add(1)
	}
	f.mu.Lock()
	answer := f.answer
	f.mu.Unlock()
	answer(w, q)
}

func (f *faulty) now(answer func(dns.ResponseWriter, *dns.Msg)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// records answers with those of the texts that fit the question, and NOERROR.
func records(texts ...string) func(dns.ResponseWriter, *dns.Msg) {
	return func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(recordsFor(q, texts...)) }
}

func recordsFor(q *dns.Msg, texts ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	for _, text := range texts {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		switch {
		case rr.Header().Rrtype == dns.TypeSOA:
			m.Ns = append(m.Ns, rr)
		case strings.EqualFold(rr.Header().Name, q.Question[0].Name) && (rr.Header().Rrtype == q.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME):
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

func rcode(code int) func(dns.ResponseWriter, *dns.Msg) {
	return func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(q, code)) }
}

func silent(dns.ResponseWriter, *dns.Msg) {}

var (
	typeA = gateway.DNSDiscover{Name: "web.test", Type: "A", Port: 80}
	one   = records("web.test. 0 A 10.0.0.1")
)

func config(servers ...*faulty) Config {
	cfg := Config{Timeout: time.Second, MinTTL: 20 * time.Millisecond, Confirm: 20 * time.Millisecond}
	for _, s := range servers {
		cfg.Servers = append(cfg.Servers, s.addr)
	}
	return cfg
}

// No failure takes an endpoint away, each says what it was, and all end when answers come again.
func TestFailuresKeepTheLastSet(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(dns.ResponseWriter, *dns.Msg)
		says   string
	}{
		{"SERVFAIL", rcode(dns.RcodeServerFailure), "SERVFAIL"},
		{"REFUSED", rcode(dns.RcodeRefused), "REFUSED"},
		{"silence", silent, "no answer within 1s"},
		{"an answer to another question", func(w dns.ResponseWriter, q *dns.Msg) {
			m := recordsFor(q, "web.test. 0 A 10.6.6.6")
			m.Question[0].Name = "other.test."
			_ = w.WriteMsg(m)
		}, "no answer within 1s"},
		{"an answer with another id", func(w dns.ResponseWriter, q *dns.Msg) {
			m := recordsFor(q, "web.test. 0 A 10.6.6.6")
			m.Id++
			_ = w.WriteMsg(m)
		}, "no answer within 1s"},
		{"a referral", func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			m.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeNS, Class: dns.ClassINET}, Ns: "ns.test."}}
			_ = w.WriteMsg(m)
		}, "a referral to other servers"},
		{"aliases in a circle", records("web.test. 0 CNAME www.test.", "www.test. 0 CNAME web.test."), "more than 8 aliases"},
		{"an address that a filter answers with", records("web.test. 0 A 0.0.0.0"), "can't be connected to"},
		{"an answer that is no message", func(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write([]byte("nonsense")) }, "no answer within 1s"},
		{"an answer that breaks off", func(w dns.ResponseWriter, q *dns.Msg) {
			b, err := recordsFor(q, "web.test. 0 A 10.6.6.6").Pack()
			if err != nil {
				panic(err)
			}
			_, _ = w.Write(b[:len(b)-2])
		}, "the answer cannot be read"},
		{"an answer that is cut off over TCP too", func(w dns.ResponseWriter, q *dns.Msg) {
			m := recordsFor(q, "web.test. 0 A 10.6.6.6")
			m.Truncated = true
			_ = w.WriteMsg(m)
		}, "cut off even over TCP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newFaulty(t, one)
			f := follow(t, config(server), typeA)
			f.expect(t, "10.0.0.1:80")
			server.now(c.answer)
			s := f.status(t, "down", func(s discovery.SourceStatus) bool { return !s.Up })
			if !strings.Contains(s.Error, c.says) || !strings.Contains(s.Error, "web.test") {
				t.Errorf("error %q, want the name and %q", s.Error, c.says)
			}
			f.quiet(t, 100*time.Millisecond)
			server.now(records("web.test. 0 A 10.0.0.2"))
			f.expect(t, "10.0.0.2:80")
			f.status(t, "up", func(s discovery.SourceStatus) bool { return s.Up })
		})
	}
}

// A truncated answer over UDP, here even in pieces, is asked for again over TCP.
func TestTruncation(t *testing.T) {
	server := newFaulty(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if w.RemoteAddr().Network() == "tcp" {
			one(w, q)
			return
		}
		m := recordsFor(q, "web.test. 0 A 10.6.6.6")
		m.Truncated = true
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(b[:len(b)-2])
	})
	f := follow(t, config(server), typeA)
	f.expect(t, "10.0.0.1:80")
	if server.tcp.Load() == 0 {
		t.Error("nobody asked over TCP")
	}
}

// A late answer that comes before the right one is passed over.
func TestForeignAnswersArePassedOver(t *testing.T) {
	server := newFaulty(t, func(w dns.ResponseWriter, q *dns.Msg) {
		wrong := recordsFor(q, "web.test. 0 A 10.6.6.6")
		wrong.Id++
		_ = w.WriteMsg(wrong)
		_, _ = w.Write([]byte("nonsense"))
		one(w, q)
	})
	f := follow(t, config(server), typeA)
	f.expect(t, "10.0.0.1:80")
	f.quiet(t, 100*time.Millisecond)
}

// A server that knows no EDNS0 is asked without.
func TestServerWithoutEDNS(t *testing.T) {
	server := newFaulty(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if q.IsEdns0() != nil {
			_ = w.WriteMsg(&dns.Msg{MsgHdr: dns.MsgHdr{Id: q.Id, Response: true, Rcode: dns.RcodeFormatError}})
			return
		}
		one(w, q)
	})
	follow(t, config(server), typeA).expect(t, "10.0.0.1:80")
}

// The next server is asked when one fails or loses packets, and one that is silent is then
// asked last.
func TestSeveralServers(t *testing.T) {
	for name, bad := range map[string]func(dns.ResponseWriter, *dns.Msg){
		"SERVFAIL": rcode(dns.RcodeServerFailure), "REFUSED": rcode(dns.RcodeRefused), "silence": silent,
	} {
		t.Run(name, func(t *testing.T) {
			first, second := newFaulty(t, bad), newFaulty(t, one)
			f := follow(t, config(first, second), typeA)
			f.expect(t, "10.0.0.1:80")
			asked := second.udp.Load()
			for end := time.Now().Add(patience); second.udp.Load() < asked+10; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the second server is not asked any more")
				}
			}
			if s := f.Status(); !s.Up {
				t.Errorf("status %+v", s)
			}
			if name == "silence" && first.udp.Load() > 1 {
				t.Errorf("the silent server was asked %d times", first.udp.Load())
			}
		})
	}
}

// A lost packet is made good by the second round.
func TestLostPacket(t *testing.T) {
	var n atomic.Int64
	server := newFaulty(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if n.Add(1) > 1 {
			one(w, q)
		}
	})
	f := follow(t, config(server), typeA)
	f.expect(t, "10.0.0.1:80")
}

// One negative answer takes nothing away; the second opinion is another server's.
func TestNegativeAnswersAreConfirmed(t *testing.T) {
	gone := rcode(dns.RcodeNameError)
	first, second := newFaulty(t, one), newFaulty(t, one)
	f := follow(t, config(first, second), typeA)
	f.expect(t, "10.0.0.1:80")
	first.now(gone) // a server that lost its zone; the other one still has it
	asked := second.udp.Load()
	for end := time.Now().Add(patience); second.udp.Load() < asked+3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the second server is not asked for its opinion")
		}
	}
	f.quiet(t, 100*time.Millisecond)
	if s := f.Status(); !s.Up {
		t.Errorf("a negative answer is an answer: status %+v", s)
	}
	second.now(gone)
	f.expect(t, "absence nxdomain")
	first.now(records("web.test. 0 TXT nothing", "test. 0 SOA ns.test. a.test. 1 1 1 1 0"))
	second.now(records("web.test. 0 TXT nothing", "test. 0 SOA ns.test. a.test. 1 1 1 1 0"))
	f.expect(t, "absence nodata")
	first.now(one)
	second.now(one)
	f.expect(t, "10.0.0.1:80")
}

// Half an answer is none: with A and AAAA both have to come, and so have all SRV targets.
func TestHalfAnswers(t *testing.T) {
	server := newFaulty(t, func(w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Qtype == dns.TypeAAAA {
			rcode(dns.RcodeServerFailure)(w, q)
			return
		}
		records("web.test. 0 A 10.0.0.1", "_x._tcp.test. 0 SRV 0 1 80 web.test.")(w, q)
	})
	f := follow(t, config(server), a("web.test", 80))
	s := f.status(t, "down", func(s discovery.SourceStatus) bool { return !s.Up })
	if !strings.Contains(s.Error, "ask for AAAA of web.test.") || !strings.Contains(s.Error, "give type A or AAAA") {
		t.Errorf("error %q", s.Error)
	}
	f.want(srv("_x._tcp.test"))
	f.status(t, "down for the target", func(s discovery.SourceStatus) bool { return strings.HasPrefix(s.Error, "ask for AAAA of web.test.: ") })
	f.quiet(t, 50*time.Millisecond)
	f.want(typeA)
	f.expect(t, "10.0.0.1:80")
	f.status(t, "up", func(s discovery.SourceStatus) bool { return s.Up })
}

// An authoritative server leaves it to us to follow aliases.
func TestAliasesOverSeveralAnswers(t *testing.T) {
	server := newFaulty(t, records("web.test. 0 CNAME www.test.", "www.test. 0 CNAME w3.test.", "w3.test. 0 A 10.0.0.3"))
	follow(t, config(server), typeA).expect(t, "10.0.0.3:80")
}

// Thousands of names are looked up by few at a time.
func TestParallelIsBounded(t *testing.T) {
	const names, parallel = 2000, 16
	var now, most atomic.Int64
	server := newFaulty(t, func(w dns.ResponseWriter, q *dns.Msg) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
		_ = w.WriteMsg(recordsFor(q, q.Question[0].Name+" 300 A 10.0.0.1"))
	})
	cfg := config(server)
	cfg.Parallel, cfg.Timeout = parallel, 10*time.Second
	start := time.Now()
	var list []gateway.DNSDiscover
	for i := range names {
		list = append(list, gateway.DNSDiscover{Name: fmt.Sprintf("n%d.test", i), Type: "A", Port: 80})
	}
	f := follow(t, cfg, list...)
	for range names {
		f.expect(t, "10.0.0.1:80")
	}
	t.Logf("figure dns_names %d looked up in %v, %d at a time", names, time.Since(start).Round(time.Millisecond), most.Load())
	if most.Load() > parallel {
		t.Errorf("%d lookups at a time, want at most %d", most.Load(), parallel)
	}
}
