package main

import (
	"os"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the proxy and the control plane in one process",
		Long: "Run the proxy and the control plane in one process, on an embedded store in the data\n" +
			"directory or on an etcd cluster. Ends on SIGTERM or Ctrl-C after requests in flight.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := readConfig(path, os.Getenv)
			if err != nil {
				return err
			}
			boundGarbage()
			app, err := NewApp(cmd.Context(), cfg, newLogger(cfg.Log, cmd.ErrOrStderr()), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return app.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "process configuration (sluice.yaml); every key has a default")
	return cmd
}
