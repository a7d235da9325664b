import { defineConfig, type Options } from 'tsup';
import { entries } from './scripts/entries.js';
import { oneKit } from './scripts/one-kit.js';
import { ownCopies } from './scripts/own-copies.js';

type Plugin = NonNullable<Options['plugins']>[number];

/**
 * A CommonJS app has required its SDK, and may hand us an object of it (a Firebase app, Amplify's configuration). `import()`
 * would load the SDK's other copy, to which that object is a stranger.
 */
const requireSdks: Plugin = {
  name: 'require-sdks',
  renderChunk(code) {
    if (this.format !== 'cjs') return;
    return {
      // Not in a function of its own: bundlers take a module for optional only if its require() is directly in a try.
      code: code.replace(/\bimport\((['"])(?![./])([^'"]+)\1\)/g, "require('$2')"),
    };
  },
};

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
  plugins: [requireSdks],
  esbuildPlugins: [oneKit, ownCopies],
  treeshake: { moduleSideEffects: false },
  sourcemap: true,
  minify: false,
  dts: true,
  clean: true,
});
