import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

/** What an adapter imports of the kit, but for kit.ts, whose parts are one chunk for all. */
const copied = /[\\/]src[\\/]adapter-kit[\\/](?!(kit|index)\.ts)/;

/**
 * Gives each adapter its own copy of what it uses of src/adapter-kit. An app loads one adapter, and a chunk that all of them
 * share costs more bytes than it saves: a name, its imports and exports, and what gzip forgets at its border.
 */
export const ownCopies: Plugin = {
  name: 'own-copies',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, importer, resolveDir, pluginData }) => {
      const file = join(resolveDir, path).replace(/\.js$/, '.ts');
      const adapter: unknown = pluginData?.adapter ?? /[\\/]adapters[\\/](\w+)[\\/]/.exec(importer)?.[1];
      if (!copied.test(file) || adapter === undefined) return undefined;
      return { path: file, suffix: `?${adapter}`, sideEffects: false, pluginData: { adapter } };
    });
    build.onLoad({ filter: /[\\/]src[\\/]adapter-kit[\\/]/ }, async ({ path, pluginData }) => ({
      contents: await readFile(path, 'utf8'),
      loader: 'ts',
      resolveDir: dirname(path),
      // Its own imports are copied for the same adapter.
      pluginData,
    }));
  },
};
