import { defineConfig } from 'vitest/config';

// Real processes and a real browser: one test after the other, and a limit that bounds a hang and measures nothing.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.e2e.ts'],
    environment: 'node',
    fileParallelism: false,
    maxWorkers: 1,
    isolate: false,
    testTimeout: 180_000,
    hookTimeout: 120_000,
    globalSetup: ['./setup.ts'],
  },
});
