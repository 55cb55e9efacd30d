import { defineConfig } from '@playwright/test';

// The tests drive a running sluice: SLUICE_URL and SLUICE_TOKEN say which. The Go test
// that starts the binary sets both; by hand: SLUICE_URL=http://127.0.0.1:9080
// SLUICE_TOKEN=$(cat data/admin.token) npm run e2e; tests of an etcd registry need SLUICE_REGISTRY
// too and run with `go test ./test/ui`.
export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/artifacts',
  reporter: [['list']],
  timeout: 120_000,
  expect: { timeout: 30_000 },
  workers: 1,
  use: {
    // A click on what still moves hits what is there by then.
    contextOptions: { reducedMotion: 'reduce' },
    baseURL: process.env.SLUICE_URL ?? 'http://127.0.0.1:9080',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
