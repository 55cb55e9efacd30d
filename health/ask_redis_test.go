package health

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/test/freeport"
)

// startRedis runs a real server that keeps nothing on disk.
func startRedis(t *testing.T, args ...string) (*part, string) {
	t.Helper()
	port := strconv.Itoa(freeport.Port(t))
	return startPart(t, "redis-server", append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, args...)...), "127.0.0.1:" + port
}

// S19: PING, and a replica whose link to its master is down fails, if that is asked.
func TestRedisProbe(t *testing.T) {
	ping, link := gateway.ActiveCheck{Type: "redis"}, gateway.ActiveCheck{Type: "redis", Replication: true}
	master, at := startRedis(t)
	eventually(t, ping, at, "")
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	_, replica := startRedis(t, "--replicaof", "127.0.0.1", port, "--repl-timeout", "2")
	eventually(t, link, replica, "")
	eventually(t, link, at, "")
	master.end()
	eventually(t, link, replica, "the link to its master is down")
	eventually(t, ping, replica, "")
	eventually(t, ping, at, "connection refused")
}

// A server that asks for a password is up; its replication cannot be seen.
func TestRedisProbeWithoutPassword(t *testing.T) {
	_, at := startRedis(t, "--requirepass", "secret")
	eventually(t, gateway.ActiveCheck{Type: "redis"}, at, "")
	eventually(t, gateway.ActiveCheck{Type: "redis", Replication: true}, at,
		"asks for a password, so its replication cannot be seen: write user and password, or let its default user run PING and INFO")
}

// With a password the probe logs in, as the default user or as another one, and a wrong one fails
// without being told. A server that asks for none takes any.
func TestRedisProbeLogsIn(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(acl, []byte("user default on >open-sesame ~* &* +@all\nuser probe on >look-only +ping +info\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, at := startRedis(t, "--aclfile", acl)
	check := func(user, password string) gateway.ActiveCheck {
		return gateway.ActiveCheck{Type: "redis", Replication: true, User: user, Password: gateway.Secret(password)}
	}
	eventually(t, check("", "open-sesame"), at, "")
	eventually(t, check("probe", "look-only"), at, "")
	eventually(t, check("probe", "open-sesame"), at, "refused the login: WRONGPASS invalid username-password pair or user is disabled.")
	eventually(t, check("", "wrong"), at, "refused the login: WRONGPASS invalid username-password pair or user is disabled.")
	_, open := startRedis(t)
	eventually(t, check("", "anything"), open, "")
}

// A server that takes no more clients fails.
func TestRedisProbeOfFullServer(t *testing.T) {
	_, at := startRedis(t, "--maxclients", "1")
	eventually(t, gateway.ActiveCheck{Type: "redis"}, at, "")
	var conn net.Conn
	for deadline := time.Now().Add(30 * time.Second); conn == nil && time.Now().Before(deadline); {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer closeQuietly(c)
		answer := make([]byte, 64) // the last probe's place may not be free yet
		if _, err := c.Write([]byte("PING\r\n")); err == nil {
			if n, err := c.Read(answer); err == nil && strings.HasPrefix(string(answer[:n]), "+PONG") {
				conn = c
			}
		}
	}
	if conn == nil {
		t.Fatal("found no place at the server")
	}
	eventually(t, gateway.ActiveCheck{Type: "redis"}, at, `answered PING with "-ERR max number of clients reached"`)
}

func TestRedisProbeFailures(t *testing.T) {
	for name, c := range map[string]struct{ says, err string }{
		"loading":       {"-LOADING Redis is loading the dataset in memory\r\n", `answered PING with "-LOADING Redis is loading the dataset in memory"`},
		"something":     {"SSH-2.0-OpenSSH_9.2\r\n", `the answer is not that of a Redis server: "SSH-2.0-OpenSSH_9.2??"`},
		"an empty line": {"\r\n", `the answer is not that of a Redis server: "??"`},
		"endless line":  {"+" + strings.Repeat("x", 2000), "the answer is not that of a Redis server"},
		"nothing":       {"", "closed the connection before answering"},
		"PONG, no INFO": {"+PONG\r\n", "closed the connection before answering"},
		"strange INFO":  {"+PONG\r\n-ERR unknown command\r\n", `answered INFO replication with "-ERR unknown command"`},
		"half an INFO":  {"+PONG\r\n$100\r\nrole:slave\r\n", "closed the connection before answering"},
		"giant INFO":    {"+PONG\r\n$99999999\r\n", `answered INFO replication with "$99999999"`},
	} {
		address := serveRaw(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte(c.says))
			// Not closed before all was read, which would be a reset.
			_ = conn.(*net.TCPConn).CloseWrite()
			untilClosed(conn)
		})
		if r := once(t, gateway.ActiveCheck{Type: "redis", Replication: true}, address); r.Err != c.err {
			t.Errorf("%s: %+v, want %q", name, r, c.err)
		}
	}
}
