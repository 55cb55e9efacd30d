package health

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
)

// Errors with which a server that is up refuses a user that it does not know: access denied,
// access denied without a password (MariaDB), and encrypted logins only.
var mysqlRefusals = []uint16{1045, 1698, 3159}

const mysqlVersion10 = 10 // of the handshake; all servers since 3.21 send it

// mysqlAsk returns what reads the greeting and logs in. A connection that ends after the
// greeting counts as a broken handshake, and after 100 in a row (max_connect_errors) the
// server blocks the host, this edge: an answer to the greeting, even a refused one, does not.
func mysqlAsk(user string) askFunc {
	return func(conn net.Conn, _ string) (int, error) {
		m := mysqlTalk{conn: conn}
		greeting, err := m.read()
		if err != nil {
			return 0, err
		}
		if greeting[0] != mysqlVersion10 {
			return 0, errors.New("the answer is not that of a MySQL server")
		}
		err = m.login(cmp.Or(user, "sluice"))
		var refused *mysqlError
		switch {
		case user == "" && errors.As(err, &refused) && slices.Contains(mysqlRefusals, refused.code):
			err = nil
		case err == nil:
			m.next = 0
			if err = m.write([]byte{1}); err == nil { // COM_QUIT
				courtesy(conn, conn)
			}
		}
		return 0, err
	}
}

// mysqlError is an error packet.
type mysqlError struct {
	code uint16
	text string
}

func (e *mysqlError) Error() string { return fmt.Sprintf("error %d: %s", e.code, e.text) }

// mysqlTalk reads and writes packets: three bytes of length, a number in sequence, and the
// payload. See https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html.
type mysqlTalk struct {
	conn net.Conn
	next byte
}

// read returns a payload of at least one byte; an error packet is an error.
func (m *mysqlTalk) read() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(m.conn, head[:]); err != nil {
		return nil, answerError(err, "that of a MySQL server")
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if size == 0 || size > courtesyBytes || head[3] != m.next {
		return nil, errors.New("the answer is not that of a MySQL server")
	}
	payload := make([]byte, size)
	if _, err := io.ReadFull(m.conn, payload); err != nil {
		return nil, answerError(err, "that of a MySQL server")
	}
	m.next = head[3] + 1
	if payload[0] != 0xff {
		return payload, nil
	}
	if size < 3 {
		return nil, errors.New("answered with an error that cannot be read")
	}
	text := payload[3:]
	if len(text) >= 6 && text[0] == '#' { // with an SQL state
		text = text[6:]
	}
	return nil, &mysqlError{code: binary.LittleEndian.Uint16(payload[1:]), text: printable(text)}
}

func (m *mysqlTalk) write(payload []byte) error {
	n := len(payload)
	head := []byte{byte(n), byte(n >> 8), byte(n >> 16), m.next} //nolint:gosec // a hundred bytes or so
	m.next++
	_, err := m.conn.Write(append(head, payload...))
	return err
}

// login answers the greeting for a user without a password, which is the same in every method
// of authentication: nothing.
func (m *mysqlTalk) login(user string) error {
	const capabilities = 0x1 | 0x200 | 0x8000 | 0x80000 // long password, 4.1, its authentication, plugins
	b := new(bytes.Buffer)
	b.Write(binary.LittleEndian.AppendUint32(nil, capabilities))
	b.Write(binary.LittleEndian.AppendUint32(nil, 1<<24)) // longest packet
	b.WriteByte(33)                                       // utf8
	b.Write(make([]byte, 23))
	b.WriteString(user + "\x00" + "\x00" + "mysql_native_password\x00")
	if err := m.write(b.Bytes()); err != nil {
		return err
	}
	for range 3 {
		reply, err := m.read()
		switch {
		case err != nil:
			return err
		case reply[0] == 0: // OK
			return nil
		case reply[0] != 0xfe && reply[0] != 1: // another method, or its next step
			return errors.New("answered a login with a packet that cannot be read")
		}
		if err := m.write(nil); err != nil {
			return err
		}
	}
	return errors.New("does not come to the end of a login")
}
