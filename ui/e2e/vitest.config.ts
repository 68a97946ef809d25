import { defineConfig } from 'vitest/config';

// Real processes and a real browser, at most two at once, and a limit that bounds a hang and measures nothing. What is
// measured runs alone.
const soak = process.env['SPILE_PAGE_SOAK'] !== undefined;

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: soak ? ['soak.e2e.ts'] : ['*.e2e.ts'],
    environment: 'node',
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    globalSetup: ['./setup.ts'],
  },
});
