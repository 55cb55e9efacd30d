package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/configsync/agent"
)

func agentCommand() *cobra.Command {
	var cfg agent.Config
	log := LogConfig{Level: "info", Format: "text"}
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Keep one nginx in step with its fleet",
		Long: "Keep one nginx in step with its fleet: pull the rendered configuration, check it with\n" +
			"nginx -t, apply it, read the running version back, and report edits made by hand.\n\n" +
			"nginx.conf includes the tree once, inside http {}:\n\n    include TREE/current/*/*.conf;\n\n" +
			"The first start needs a one-time token (sluice fleet token FLEET), which is traded for a\n" +
			"certificate that the agent renews by itself. See docs/fleet-agents.md.\n\n" +
			"In fleets with \"mode: full\" Sluice writes nginx.conf, too: it becomes a link into the tree,\n" +
			"and the old one is kept as TREE/nginx.conf.kept.\n",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			host, err := os.Hostname()
			if err != nil {
				return err
			}
			cfg.Node = cmp.Or(cfg.Node, host)
			cfg.Version = version
			cfg.Log = newLogger(log, cmd.ErrOrStderr())
			if cfg.EnrolTokenFile == "" {
				cfg.EnrolToken = os.Getenv("SLUICE_ENROL_TOKEN")
			}
			return agent.Run(cmd.Context(), cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Server, "server", cmp.Or(os.Getenv("SLUICE_SERVER"), "https://127.0.0.1:9443"), "URL of the control plane's listener for agents (SLUICE_SERVER)")
	f.StringVar(&cfg.EnrolTokenFile, "enrol-token-file", "", "file with the one-time token of sluice fleet token, for a node without a certificate (else SLUICE_ENROL_TOKEN)")
	f.StringVar(&cfg.StateDir, "state", "", "folder for the node's key and certificate (default: the tree folder with -agent at the end)")
	f.StringVar(&cfg.Fleet, "fleet", "", "fleet that this nginx belongs to")
	f.StringVar(&cfg.Node, "node", "", "name of this node (default: host name)")
	f.StringVar(&cfg.NginxBinary, "nginx", "", "nginx binary (default: found by itself)")
	f.StringVar(&cfg.NginxConf, "nginx-conf", "", "nginx's main configuration file (default: what nginx runs with, or was built with)")
	f.StringVar(&cfg.NginxPrefix, "nginx-prefix", "", "nginx's -p, when it runs with one (default: found by itself)")
	f.StringVar(&cfg.TreeDir, "tree", "/etc/nginx/sluice", "folder for the rendered trees")
	f.StringSliceVar(&cfg.Listen, "listen", nil, "values of the rendered listen directives (default 80)")
	f.StringSliceVar(&cfg.ListenTLS, "listen-tls", nil, "the same for TLS, such as 443 (default none: hosts are served without TLS)")
	f.StringVar(&cfg.DigestListen, "digest-listen", "", "where nginx answers the running digest: unix:PATH or a loopback address")
	f.StringVar(&cfg.Outcomes, "outcomes", "socket", "how nginx tells how its exchanges with endpoints end: socket, file or off")
	f.StringVar(&log.Level, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&log.Format, "log-format", "text", "text or json")
	_ = cmd.MarkFlagRequired("fleet")
	return cmd
}
