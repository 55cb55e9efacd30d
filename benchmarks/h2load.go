package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The load over HTTP/2: connections, and streams at a time on each.
const (
	h2Connections = 8
	h2Streams     = 16
)

// grpcSize is the size of the messages of gRPC calls both ways, and grpcMessage one of them
// with its prefix of five bytes.
const grpcSize = 100

var grpcMessage = append([]byte{0, 0, 0, 0, grpcSize}, make([]byte, grpcSize)...)

// byH2Load is HTTP/2 over TLS. With a body it is a gRPC call.
func byH2Load(body []byte) loader {
	return func(ctx context.Context, c *contender, seconds int) (loaded, error) {
		log := filepath.Join(c.st.dir, "h2load.log")
		if err := os.Remove(log); err != nil && !errors.Is(err, os.ErrNotExist) {
			return loaded{}, err
		}
		command := []string{c.st.tools.h2load, "--threads", "1", "--clients", strconv.Itoa(h2Connections), "--max-concurrent-streams", strconv.Itoa(h2Streams),
			"--duration", strconv.Itoa(seconds), "--log-file", log, "--header", ":authority: " + host}
		if body != nil {
			data := filepath.Join(c.st.dir, "body")
			if err := os.WriteFile(data, body, 0o644); err != nil {
				return loaded{}, err
			}
			command = append(command, "--data", data, "--header", "content-type: application/grpc", "--header", "te: trailers")
		}
		out, err := c.st.run(ctx, time.Duration(seconds)*time.Second, nil, append(command, c.site.url())...)
		if err != nil {
			return loaded{}, err
		}
		r, err := parseH2Load(string(out))
		if err != nil {
			return r, err
		}
		return r, r.quantiles(log)
	}
}

var (
	h2loadDone   = regexp.MustCompile(`(?m)^finished in ([0-9.]+\w+), `)
	h2loadCounts = regexp.MustCompile(`(?m)^requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2loadStatus = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx`)
)

// parseH2Load reads what h2load prints. Requests that failed or had another status than
// 2xx are an error.
func parseH2Load(out string) (r loaded, err error) {
	done, counts, status := h2loadDone.FindStringSubmatch(out), h2loadCounts.FindStringSubmatch(out), h2loadStatus.FindStringSubmatch(out)
	if done == nil || counts == nil || status == nil {
		return r, fmt.Errorf("h2load's output has no totals:\n%s", out)
	}
	if counts[3] != "0" || counts[4] != "0" || counts[5] != "0" {
		return r, fmt.Errorf("h2load saw %s requests failed, %s errored and %s timed out", counts[3], counts[4], counts[5])
	}
	if r.Requests, err = strconv.ParseInt(counts[2], 10, 64); err != nil {
		return r, fmt.Errorf("h2load's requests: %w", err)
	}
	good, err := strconv.ParseInt(status[1], 10, 64)
	if err != nil || good < r.Requests || r.Requests == 0 {
		return r, fmt.Errorf("h2load has %d requests and %s answers with 2xx", r.Requests, status[1])
	}
	r.Elapsed, err = time.ParseDuration(done[1])
	return r, err
}

// quantiles reads h2load's log: start, status and microseconds of each request.
func (r *loaded) quantiles(log string) error {
	file, err := os.Open(log)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var micros []int
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 3 || fields[1] == "-1" {
			continue // a stream that was cut off at the end
		}
		n, err := strconv.Atoi(fields[2])
		if err != nil {
			return fmt.Errorf("h2load's log: %w", err)
		}
		micros = append(micros, n)
	}
	if len(micros) == 0 {
		return errors.New("h2load's log is empty")
	}
	slices.Sort(micros)
	at := func(q float64) time.Duration {
		return time.Duration(micros[int(q*float64(len(micros)))]) * time.Microsecond
	}
	r.P50, r.P99, r.P999 = at(0.5), at(0.99), at(0.999)
	return nil
}
