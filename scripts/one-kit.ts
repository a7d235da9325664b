import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

const kit = resolve('src/kit.ts');
const members = new Set(
  [...readFileSync(kit, 'utf8').matchAll(/^(?:export \{|\}).* from '(\.[^']+)\.js';/gm)].map(([, path = '']) =>
    join(resolve('src'), `${path}.ts`),
  ),
);

/**
 * Makes one chunk of all that src/kit.ts exports. Code is split by files, and each set of parts that reaches a file would get a
 * chunk of its own: more requests, and more bytes, since gzip forgets at each border. So whoever reaches one of them reaches all.
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
      if (!members.has(path)) return undefined;
      return { contents: `${await readFile(path, 'utf8')}\nimport '${kit.replaceAll('\\', '/')}';`, loader: 'ts' };
    });
    // The import above is absolute.
    build.onResolve({ filter: /[\\/]kit\.ts$/ }, ({ path }) =>
      resolve(path) === kit ? { path: kit, sideEffects: true } : undefined,
    );
  },
};
