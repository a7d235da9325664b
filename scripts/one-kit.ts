import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

const kit = resolve('src/adapter-kit/kit.ts');
/** What every app loads first, with all that it imports: parts that are loaded later share files with it. */
const start = resolve('src/sync-layer.ts');
const ofKit = [...readFileSync(kit, 'utf8').matchAll(/^(?:export \{|\}).* from '(\.[^']+)\.js';/gm)];
const members = new Set([start, ...ofKit.map(([, path = '']) => join(dirname(kit), `${path}.ts`))]);
const importing = (path: string): string => `\nimport '${path.replaceAll('\\', '/')}';`;

/**
 * Makes one chunk of what every app loads first and of all that src/adapter-kit/kit.ts exports. Code is split by files, and each set of
 * parts that reaches a file would get a chunk of its own: more requests, and more bytes, since gzip forgets at each border. So whoever
 * reaches one of them reaches all.
 */
export const oneKit: Plugin = {
  name: 'one-kit',
  setup(build) {
    const isMember = (path: string): boolean => path === kit || members.has(path);
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path).replace(/\.js$/, '.ts');
      return isMember(file) ? { path: file, sideEffects: true } : undefined;
    });
    build.onLoad({ filter: /[\\/]src[\\/]/ }, async ({ path }) => {
      if (!isMember(path)) return undefined;
      return { contents: (await readFile(path, 'utf8')) + importing(path === kit ? start : kit), loader: 'ts' };
    });
    // The imports above are absolute.
    build.onResolve({ filter: /\.ts$/ }, ({ path }) =>
      isMember(resolve(path)) ? { path: resolve(path), sideEffects: true } : undefined,
    );
  },
};
