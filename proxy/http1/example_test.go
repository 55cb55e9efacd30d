package http1_test

import (
	"fmt"

	"github.com/sluice-gateway/sluice/proxy/http1"
)

func ExampleRequest_Parse() {
	b := []byte("POST /a?b=c HTTP/1.1\r\nHost: shop.example.com:8080\r\nContent-Length: 2\r\n\r\nok")
	var r http1.Request
	done, err := r.Parse(b, http1.Limits{})
	fmt.Println(done, err == nil, string(r.Path.Of(b)), string(r.Host.Of(b)), r.Length, string(b[r.Size:]))
	// Output: true true /a shop.example.com 2 ok
}
