import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The names of the built files are stable, so that what is committed changes only where the page does. Every URL is
// relative: a proxy may serve the page below a folder of its own.
export default defineConfig({
  base: './',
  plugins: [svelte({ compilerOptions: { fragments: 'tree' } })],
  resolve: {
    alias: { '@spile/client': fileURLToPath(new URL('../clients/js/src/index.ts', import.meta.url)) },
  },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'app.js',
        assetFileNames: 'app[extname]',
        codeSplitting: false,
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:7800', '/login': 'http://127.0.0.1:7800' } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
