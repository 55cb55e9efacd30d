package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// The ways in which nginx tells how exchanges ended.
const (
	// OutcomesSocket: syslog's datagrams over a unix socket. Nothing is written to disk, and
	// what nobody takes is dropped.
	OutcomesSocket = "socket"
	// OutcomesFile: a log file, which is emptied when it is large. It is the fall-back, for
	// nginx that can not reach the socket.
	OutcomesFile = "file"
	// OutcomesOff: not at all.
	OutcomesOff = "off"
)

// postEvery is the time between two batches.
const postEvery = time.Second

// outcomes takes what nginx says about its exchanges with endpoints to the control plane.
type outcomes struct {
	cfg    Config
	client client
	batch  batch
	socket *net.UnixConn // nil unless that is the way
	file   string        // empty unless that is the way
}

// newOutcomes opens the way that cfg names, or the fall-back.
func newOutcomes(cfg Config, d disk) (*outcomes, error) {
	o := &outcomes{cfg: cfg, client: client{cfg: cfg}}
	if cfg.Outcomes == OutcomesSocket {
		err := o.listen(filepath.Join(d.root, "outcomes.sock"))
		if err == nil {
			return o, nil
		}
		cfg.Log.Warn("nginx's outcomes go through a file, since there can be no socket", "error", err)
	}
	if cfg.Outcomes == OutcomesOff {
		return o, nil
	}
	// In a folder of its own: the others are watched, and every line would be news.
	o.file = filepath.Join(d.root, "log", "outcomes.log")
	if err := os.MkdirAll(filepath.Dir(o.file), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for outcomes: %w", err)
	}
	return o, nil
}

// listen takes the socket's path over from an agent that is gone: this one has the lock.
func (o *outcomes) listen(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	// nginx's workers run as somebody else. What they may write there is counts of outcomes.
	if err := os.Chmod(path, 0o666); err != nil {
		return errors.Join(err, socket.Close())
	}
	_ = socket.SetReadBuffer(4 << 20) // the system may allow less
	o.socket = socket
	return nil
}

// live makes the path that tells nginx that somebody takes outcomes, also when this process is
// killed: a link to its folder in /proc.
func (o *outcomes) live() (end func(), err error) {
	link := nginxconf.AgentLives(gateway.NodeFacts{TreePath: disk{root: o.cfg.TreeDir}.link()})
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := os.Symlink(fmt.Sprintf("/proc/%d", os.Getpid()), link); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(link) }, nil
}

// target is where nginx writes, in the words of NodeFacts.
func (o *outcomes) target() string {
	if o.socket != nil {
		return "unix:" + o.socket.LocalAddr().String()
	}
	return o.file
}

// run takes and posts until ctx ends.
func (o *outcomes) run(ctx context.Context) {
	var receiver sync.WaitGroup
	defer receiver.Wait()
	switch {
	case o.socket != nil:
		receiver.Go(o.receive)
		defer func() { _ = o.socket.Close() }()
	case o.file != "":
		receiver.Go(func() { o.tail(ctx) })
	default:
		return
	}
	end, err := o.live()
	if err != nil {
		o.cfg.Log.Error("nginx does not tell how its exchanges end", "error", err)
	} else {
		defer end() // before the socket is closed
	}
	tick := time.NewTicker(postEvery)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := o.post(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			o.cfg.Log.Warn("outcomes of nginx are lost: the control plane does not take them", "error", err)
		}
		failing = err != nil
	}
}

// post sends a batch. One that can not be sent is lost: verdicts are about the present.
func (o *outcomes) post(ctx context.Context) error {
	batch, missed := o.batch.take()
	if missed > 0 {
		o.cfg.Log.Warn("nginx has more outcomes than a batch takes", "left_out", missed)
	}
	if len(batch.Endpoints) == 0 && len(batch.Answers) == 0 {
		return nil
	}
	return o.client.outcomes(ctx, batch)
}

func (o *outcomes) take(line string) {
	if a, ok := parseAnswer(line); ok {
		o.batch.answer(a)
	}
	for _, one := range parseOutcomes(line) {
		o.batch.add(one)
	}
}

// receive reads datagrams, one line each, until the socket is closed.
func (o *outcomes) receive() {
	buffer := make([]byte, 16<<10)
	for {
		n, err := o.socket.Read(buffer)
		if err != nil {
			return
		}
		o.take(string(buffer[:n]))
	}
}
