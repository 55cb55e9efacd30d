package agenttest

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// luaModules are Debian's.
const luaModules = "load_module /usr/lib/nginx/modules/ndk_http_module.so;\nload_module /usr/lib/nginx/modules/ngx_http_lua_module.so;\n"

// LoadLua adds the Lua module, and a number of workers, to nginx.conf, for the next start.
func (n *Nginx) LoadLua(t testing.TB, workers int) {
	t.Helper()
	b, err := os.ReadFile(n.Conf)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "worker_processes 1;", "worker_processes "+strconv.Itoa(workers)+";", 1)
	text = strings.Replace(text, "worker_connections 256;", "worker_connections 1024;", 1)
	if err := os.WriteFile(n.Conf, []byte(luaModules+text), 0o644); err != nil {
		t.Fatal(err)
	}
}
