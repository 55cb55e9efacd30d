package nginxconf

// BuiltIn are the modules that nginx has unless it was built without them, of those that the
// renderer asks for: "nginx -V" names a module only where it was asked for. They are sorted.
var BuiltIn = []string{"http_access_module", "http_grpc_module", "http_map_module", "http_split_clients_module", "http_upstream_hash_module",
	"http_upstream_keepalive_module", "http_upstream_least_conn_module", "http_upstream_random_module", "http_upstream_zone_module"}
