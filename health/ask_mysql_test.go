package health

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// mariaOptions make a server that is small and forgets nothing only as long as a test runs.
func mariaOptions(folder string, more ...string) []string {
	return append([]string{"--no-defaults", "--datadir=" + folder, "--user=root", "--lc-messages-dir=/usr/share/mysql/english",
		"--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M", "--innodb-data-file-path=ibdata1:4M:autoextend"}, more...)
}

// startMaria runs a real MariaDB with a user "probe" without and "locked" with a password, on
// every address of the machine.
func startMaria(t *testing.T, more ...string) (port string) {
	t.Helper()
	folder := t.TempDir()
	var sql bytes.Buffer
	sql.WriteString("create database mysql;\nuse mysql;\n")
	for _, file := range []string{"mysql_system_tables.sql", "mysql_system_tables_data.sql"} {
		text, err := os.ReadFile("/usr/share/mysql/" + file)
		if err != nil {
			t.Fatalf("MariaDB is not installed: run make packages (%v)", err)
		}
		sql.Write(text)
	}
	sql.WriteString("\ndelete from global_priv where user='';\n")
	for user, password := range map[string]string{"probe": "", "locked": "*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9"} {
		fmt.Fprintf(&sql, "replace into global_priv(host,user,priv) values ('%%','%s','{\"access\":0,\"plugin\":\"mysql_native_password\",\"authentication_string\":\"%s\"}');\n", user, password)
	}
	boot := exec.Command("mariadbd", mariaOptions(folder, "--bootstrap", "--skip-networking")...) //nolint:gosec // our own arguments
	boot.Stdin = &sql
	if out, err := boot.CombinedOutput(); err != nil {
		t.Fatalf("%v: run make packages if MariaDB is not installed\n%s", err, out)
	}
	port = strconv.Itoa(freeport.Port(t))
	startPart(t, "mariadbd", mariaOptions(folder, append(more, "--socket="+folder+"/s", "--port="+port, "--bind-address=0.0.0.0")...)...)
	return port
}

// A login of nobody shows that the server is up; one of a user that is named has to work.
func TestMySQLProbe(t *testing.T) {
	at := "127.0.0.1:" + startMaria(t)
	eventually(t, gateway.ActiveCheck{Type: "mysql"}, at, "")
	eventually(t, gateway.ActiveCheck{Type: "mysql", User: "probe"}, at, "")
	eventually(t, gateway.ActiveCheck{Type: "mysql", User: "locked"}, at, "error 1045: Access denied for user 'locked'@'localhost' (using password: NO)")
}

// A server that is full says so instead of greeting.
func TestMySQLProbeOfFullServer(t *testing.T) {
	at := "127.0.0.1:" + startMaria(t, "--max-connections=10", "--extra-port=0", "--connect-timeout=600")
	eventually(t, gateway.ActiveCheck{Type: "mysql"}, at, "")
	greeting := make([]byte, 200)
	for i := 0; !strings.Contains(string(greeting), "Too many connections"); i++ { // the probe's may still count
		conn, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer closeQuietly(conn)
		if _, err := conn.Read(greeting); err != nil || i == 30 {
			t.Fatalf("after %d connections: %v", i, err)
		}
	}
	eventually(t, gateway.ActiveCheck{Type: "mysql"}, at, "error 1040: Too many connections")
}

// Connections that end after the greeting would have the server block this host; probes do
// not. The server counts them for every address but 127.0.0.1.
func TestMySQLProbeIsNotBlocked(t *testing.T) {
	port := startMaria(t, "--max-connect-errors=3")
	at := "127.0.0.1:" + port
	eventually(t, gateway.ActiveCheck{Type: "mysql"}, at, "")
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}
	check := filled(gateway.EffectiveCheck{Active: &gateway.ActiveCheck{Type: "mysql"}}).Active
	q := newQuestion(Target{Check: check})
	for i := range 10 {
		if _, err := q.probe(t.Context(), from.DialContext, at); err != nil {
			t.Fatalf("probe %d: %v", i, err)
		}
	}
	// The control: this is what happens to one that only looks at the greeting.
	for i := 0; ; i++ {
		conn, err := from.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		greeting := make([]byte, 200)
		n, err := conn.Read(greeting)
		closeQuietly(conn)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(greeting[:n]), "is blocked because of many connection errors") {
			break
		}
		if i == 100 {
			t.Fatal("the server blocks nobody")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := q.probe(t.Context(), from.DialContext, at); err == nil || !strings.HasPrefix(err.Error(), "error 1129: Host '127.0.0.3' is blocked") {
		t.Errorf("the probe of a server that blocks this host: %v", err)
	}
}

// Packets laid out as MySQL 8 sends them, whose server is not in Debian: another method of
// authentication by default, and errors that are hard to bring about.
func TestMySQLPackets(t *testing.T) {
	greeting := "\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00\xff\xff\xff\x02\x00\xff\xdf\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x00caching_sha2_password\x00"
	swap := "\x2c\x00\x00\x02\xfecaching_sha2_password\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x00"
	ok := "\x07\x00\x00\x04\x00\x00\x00\x02\x00\x00\x00"
	denied := "\x19\x00\x00\x04\xff\x15\x04#28000Access denied..."
	for name, c := range map[string]struct{ user, says, err string }{
		"another method, then OK":           {"probe", greeting + swap + ok, ""},
		"another method, then denied":       {"", greeting + swap + denied[:3] + "\x04" + denied[4:], ""},
		"denied to a user":                  {"probe", greeting + swap + denied, "error 1045: Access denied..."},
		"encrypted logins only":             {"", greeting + "\x0b\x00\x00\x02\xff\x57\x0c#HY000no", ""},
		"full":                              {"", "\x17\x00\x00\x00\xff\x10\x04Too many connections", "error 1040: Too many connections"},
		"a host that may not":               {"", "\x13\x00\x00\x00\xff\x6a\x04Host not allowed", "error 1130: Host not allowed"},
		"shutting down":                     {"", greeting + "\x0f\x00\x00\x02\xff\x1d\x04#08S01going.", "error 1053: going."},
		"nothing after the greeting":        {"", greeting, "closed the connection before answering"},
		"a method without end":              {"probe", greeting + swap + swap[:3] + "\x04" + swap[4:] + swap[:3] + "\x06" + swap[4:], "does not come to the end of a login"},
		"something else after the greeting": {"", greeting + "\x01\x00\x00\x02\x42", "answered a login with a packet that cannot be read"},
		"half an error":                     {"", "\x01\x00\x00\x00\xff", "answered with an error that cannot be read"},
		"another protocol":                  {"", "\x02\x00\x00\x00\x09x", "the answer is not that of a MySQL server"},
		"HTTP":                              {"", "HTTP/1.1 400 Bad Request\r\n\r\n", "the answer is not that of a MySQL server"},
		"an empty packet":                   {"", "\x00\x00\x00\x00", "the answer is not that of a MySQL server"},
		"nothing":                           {"", "", "closed the connection before answering"},
	} {
		address := serveRaw(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, c.says)
			_ = conn.(*net.TCPConn).CloseWrite()
			untilClosed(conn)
		})
		if r := once(t, gateway.ActiveCheck{Type: "mysql", User: c.user}, address); r.Err != c.err {
			t.Errorf("%s: %+v, want %q", name, r, c.err)
		}
	}
}
