package health

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// redisAsk returns what logs in, if there is a password, sends PING and, if the replication
// matters, looks at the replica's link. Without a password a server that asks for one is up.
func redisAsk(check *gateway.ActiveCheck) askFunc {
	replication := check.Replication
	return func(conn net.Conn, _ string) (int, error) {
		r := bufio.NewReaderSize(io.LimitReader(conn, maxProbeHead), 512)
		if err := redisLogin(conn, r, check.User, string(check.Password)); err != nil {
			return 0, err
		}
		pong, err := redisCall(conn, r, "PING")
		switch {
		case err != nil:
			return 0, err
		case strings.HasPrefix(pong, "-NOAUTH"):
			if replication {
				return 0, errors.New("asks for a password, so its replication cannot be seen: write user and password, or let its default user run PING and INFO")
			}
		case pong != "+PONG":
			return 0, fmt.Errorf("answered PING with %q", printable([]byte(pong)))
		case replication:
			return 0, redisLink(conn, r)
		}
		return 0, nil
	}
}

// redisLogin sends AUTH, with the user if there is one (Redis 6 knows users). The password is in
// no error.
func redisLogin(conn net.Conn, r *bufio.Reader, user, password string) error {
	if password == "" {
		return nil
	}
	words := []string{"AUTH", password}
	if user != "" {
		words = []string{"AUTH", user, password}
	}
	answer, err := redisCall(conn, r, words...)
	if err != nil {
		return err
	}
	switch {
	case answer == "+OK":
		return nil
	case strings.HasPrefix(answer, "-ERR") && strings.Contains(answer, "without any password configured"):
		return nil // it asks for none
	}
	return fmt.Errorf("refused the login: %s", printable([]byte(strings.TrimPrefix(answer, "-"))))
}

// redisLink asks a replica for the link to its master.
func redisLink(conn net.Conn, r *bufio.Reader) error {
	head, err := redisCall(conn, r, "INFO", "replication")
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(strings.TrimPrefix(head, "$"))
	if err != nil || head[0] != '$' || size < 0 || size > maxProbeBody {
		return fmt.Errorf("answered INFO replication with %q", printable([]byte(head)))
	}
	info := make([]byte, size)
	if _, err := io.ReadFull(r, info); err != nil {
		return answerError(err, "that of a Redis server")
	}
	if bytes.Contains(info, []byte("role:slave\r\n")) && bytes.Contains(info, []byte("master_link_status:down\r\n")) {
		return errors.New("the link to its master is down")
	}
	return nil
}

// redisCall sends a command and returns the first line of the reply, without its end.
// See https://redis.io/docs/latest/develop/reference/protocol-spec/.
func redisCall(conn net.Conn, r *bufio.Reader, words ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return "", err
	}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", answerError(err, "that of a Redis server")
	}
	text := strings.TrimRight(string(line), "\r\n")
	if text == "" || !strings.ContainsRune("+-:$*", rune(text[0])) {
		return "", errors.New("the answer is not that of a Redis server: " + strconv.Quote(printable(line)))
	}
	return text, nil
}
