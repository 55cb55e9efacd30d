package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// clientCommands are the verbs that talk to a running control plane.
func clientCommands() []*cobra.Command {
	all := []*cobra.Command{applyCommand(), getCommand(), deleteCommand(), statusCommand(), explainCommand(), upstreamCommand(), healthCommand(), alertsCommand(), fleetCommand(), historyCommand(), auditCommand()}
	for _, c := range all {
		c.PersistentFlags().String("server", cmp.Or(os.Getenv("SLUICE_SERVER"), "http://127.0.0.1:9080"), "URL of the control plane (SLUICE_SERVER)")
		c.PersistentFlags().String("token-file", "", "file that holds the token (default: SLUICE_TOKEN, ./data/admin.token, /var/lib/sluice/admin.token)")
	}
	return all
}

// client talks to the admin API.
type client struct {
	server string
	token  string
	http   http.Client
}

func newClient(cmd *cobra.Command) (*client, error) {
	server, _ := cmd.Flags().GetString("server")
	if u, err := url.Parse(server); err != nil || u.Host == "" {
		return nil, fmt.Errorf("--server %q is not a URL such as http://127.0.0.1:9080", server)
	}
	file, _ := cmd.Flags().GetString("token-file")
	token, err := findToken(file)
	return &client{server: strings.TrimSuffix(server, "/"), token: token, http: http.Client{Timeout: time.Minute}}, err
}

// findToken looks where a server on this machine leaves the administrator's token.
func findToken(file string) (string, error) {
	if t := os.Getenv("SLUICE_TOKEN"); t != "" && file == "" {
		return t, nil
	}
	places := []string{"data/admin.token", "/var/lib/sluice/admin.token"}
	if file != "" {
		places = []string{file}
	}
	var errs []error
	for _, p := range places {
		b, err := os.ReadFile(p)
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("no token: set SLUICE_TOKEN or --token-file (the server keeps the administrator's in <dataDir>/admin.token): %w", errors.Join(errs...))
}

// call sends in as JSON (nil: no body) and reads the answer into out (nil: not read; an
// io.Writer gets it as it is).
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing answers at %s: start sluice serve, or name the server with --server", c.server)
	}
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 400 {
		return problem(resp)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err = io.Copy(out, resp.Body)
	default:
		err = json.NewDecoder(resp.Body).Decode(out)
	}
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.server, err)
	}
	return nil
}

// path joins escaped elements.
func path(elements ...string) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteString("/" + url.PathEscape(e))
	}
	return b.String()
}
