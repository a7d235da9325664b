import { defineConfig } from 'tsup';
import { entries } from './scripts/entries.js';

export default defineConfig({
  entry: entries,
  format: ['esm', 'cjs'],
  target: 'es2022',
  platform: 'neutral',
  // Without this tsup turns `node:sqlite` into `sqlite`, a module that Node does not have.
  removeNodeProtocol: false,
  external: [/^node:/],
  // Both formats share chunks, so `synclayer` and `synclayer/websocket` have one SyncLayerError between them.
  splitting: true,
  // Also drops `import './chunk.js'` lines that import nothing: no module of ours has side effects.
  treeshake: { moduleSideEffects: false },
  sourcemap: true,
  minify: false,
  dts: true,
  clean: true,
});
