package main

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/gateway"
	"github.com/sluice-gateway/sluice/health"
)

// ledgerDir is where the evidence of health is, below the data directory.
const ledgerDir = "ledger"

// openLedger opens the evidence of health. A node that can't write it serves all the same, and
// has it in memory.
func openLedger(dataDir string, log *slog.Logger) (*health.Archive, []gateway.HealthEvent) {
	archive, events, err := health.OpenArchive(filepath.Join(dataDir, ledgerDir), time.Now(), log)
	if err != nil {
		log.Error("evidence of health is kept in memory only", "err", err)
		return nil, events
	}
	return archive, events
}
