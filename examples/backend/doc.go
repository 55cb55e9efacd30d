// Command backend is what the examples put behind Sluice: one process that answers HTTP on
// several addresses, each of which can be told to fail.
//
// Each -listen name=address is a small server of its own. It answers every path with a short
// text that names itself and repeats what it received, /healthz with "ok", and takes orders
// at /_control:
//
//	curl -X POST 'http://127.0.0.1:9101/_control?status=502'   answer 502
//	curl -X POST 'http://127.0.0.1:9101/_control?delay=2s'     answer late
//	curl -X POST 'http://127.0.0.1:9101/_control?reset=1'      reset the connection instead of answering
//	curl -X POST 'http://127.0.0.1:9101/_control?reset=body'   reset it in the middle of the answer
//	curl -X POST 'http://127.0.0.1:9101/_control?hang=1'       take the request and say nothing
//	curl -X POST 'http://127.0.0.1:9101/_control?heal=1'       answer properly again
//	curl 'http://127.0.0.1:9101/_control'                      what it does now, and how many requests it saw
//
// A fault leaves /healthz alone, because that is the case that active checks do not see. Add
// health=fail to have it fail in the same way; health=fail alone fails nothing else.
// Orders are taken from direct requests only, never through a proxy.
//
// The process ends on SIGINT and SIGTERM, and with -parent PID also when that parent is gone.
package main
