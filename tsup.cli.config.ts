import { defineConfig } from 'tsup';

/** `npx synclayer`: one file for Node, with what it needs of citty and cli-progress in it. After tsup.config.ts, which empties dist/. */
export default defineConfig({
  entry: { cli: 'src/cli/index.ts' },
  format: ['esm'],
  target: 'node22',
  platform: 'node',
  removeNodeProtocol: false,
  splitting: true,
  sourcemap: false,
  minify: false,
  dts: false,
  clean: false,
  // cli-progress is CommonJS, and requires modules of Node.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});
