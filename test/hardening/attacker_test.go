package hardening

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"golang.org/x/net/http2"
)

// attacker is one connection of a flood. It reads all that comes back, so that nothing but the
// proxy's own judgement ends it.
type attacker struct {
	net.Conn
	pongs  chan struct{}
	resets chan http2.ErrCode
	done   chan struct{} // the connection has ended
	code   http2.ErrCode // of the GOAWAY; right once done is closed
	told   bool          // there was one
}

func dialAttacker(addr string, settings []http2.Setting) (*attacker, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	a := &attacker{Conn: nc, pongs: make(chan struct{}, 1), resets: make(chan http2.ErrCode, 2*hoarded), done: make(chan struct{})}
	go a.read()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return a, err
	}
	_, err = io.WriteString(nc, greeting(settings...))
	return a, err
}

func (a *attacker) read() {
	defer close(a.done)
	fr := http2.NewFramer(io.Discard, bufio.NewReader(a))
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			a.code, a.told = f.ErrCode, true
		case *http2.PingFrame:
			if f.IsAck() && f.Data[0] == 'm' {
				a.pongs <- struct{}{} // one at a time is on its way
			}
		case *http2.RSTStreamFrame:
			select {
			case a.resets <- f.ErrCode:
			default: // nobody counts them
			}
		}
	}
}

// attack floods until the connection ends, and returns after how many rounds it did.
func (f *flood) attack(addr string) (rounds int, err error) {
	a, err := dialAttacker(addr, f.settings)
	if a != nil {
		defer func() {
			_ = a.Close()
			<-a.done
		}()
	}
	if err != nil {
		return 0, err
	}
	if f.hoard != nil {
		return hoarded, f.hoard(a)
	}
	_, err = io.WriteString(a, f.first)
	const batch = 25
	for ; err == nil && rounds < 4*maxRounds && !a.over(); rounds += batch {
		text := ""
		for i := range batch {
			text += f.round(rounds + i)
		}
		if _, err = io.WriteString(a, text); err == nil {
			err = a.mark(f.within)
		}
	}
	if !a.endsSoon() {
		return rounds, fmt.Errorf("%s: the connection goes on after %d rounds", f.name, rounds)
	}
	if !a.told || !slices.Contains(f.codes, a.code) {
		return rounds, fmt.Errorf("%s: the connection ended after %d rounds with %v (told: %v), want %v", f.name, rounds, a.code, a.told, f.codes)
	}
	return rounds, nil
}

// over says whether the connection has ended.
func (a *attacker) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// endsSoon waits for the end of the connection.
func (a *attacker) endsSoon() bool {
	select {
	case <-a.done:
		return true
	case <-time.After(patience):
		return false
	}
}

// mark waits until what was sent has been dealt with, which the answer to a PING tells, where
// one may stand.
func (a *attacker) mark(within bool) error {
	if within {
		time.Sleep(5 * time.Millisecond)
		return nil
	}
	if _, err := io.WriteString(a, frame{http2.FramePing, 0, 0, "m2345678"}.String()); err != nil {
		return err
	}
	select {
	case <-a.pongs:
	case <-a.done:
	}
	return nil
}

// hoard asks for large answers on as many streams as there may be and never lets a byte of
// them come. All have to be reset when the time to write is over.
func (a *attacker) hoard() error {
	text := ""
	for i := range hoarded + 1 {
		text += ask(i, "/large", true)
	}
	if _, err := io.WriteString(a, text); err != nil {
		return err
	}
	refused, others := 0, 0
	for deadline := time.After(patience); refused+others < hoarded+1; {
		select {
		case code := <-a.resets:
			if code == http2.ErrCodeRefusedStream {
				refused++
			} else {
				others++
			}
		case <-a.done:
			return fmt.Errorf("the connection ended with %v", a.code)
		case <-deadline:
			return fmt.Errorf("of %d hoarded streams %d were refused and %d reset", hoarded+1, refused, others)
		}
	}
	if refused != 1 {
		return fmt.Errorf("%d streams were refused, want the one beyond %d", refused, hoarded)
	}
	return nil
}
