import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const dist = join(import.meta.dirname, 'dist');

// Vite's own emptyOutDir would delete dist/.keep, which is committed so that the Go
// package that embeds dist builds on a machine without Node.
function emptyDistButKeep(): Plugin {
  return {
    name: 'empty-dist-but-keep',
    apply: 'build',
    buildStart() {
      if (!existsSync(dist)) return;
      for (const name of readdirSync(dist)) {
        if (name !== '.keep') rmSync(join(dist, name), { recursive: true });
      }
    },
    closeBundle() {
      if (!existsSync(join(dist, '.keep'))) writeFileSync(join(dist, '.keep'), '');
    },
  };
}

export default defineConfig({
  plugins: [react(), emptyDistButKeep()],
  server: {
    port: 5173,
    proxy: { '/api': process.env.SLUICE_URL ?? 'http://127.0.0.1:9080' },
  },
  build: {
    outDir: dist,
    emptyOutDir: false,
    // Inlined assets would need data: in more CSP directives than img-src.
    assetsInlineLimit: 0,
    // antd's share of the first chunk is known (dependencies.md section 3).
    chunkSizeWarningLimit: 1400,
  },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'http://sluice.test/' } },
    setupFiles: ['src/test/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    // antd pages in jsdom on a loaded machine are slow; the default 5 s is for idle ones.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    restoreMocks: true,
  },
});
