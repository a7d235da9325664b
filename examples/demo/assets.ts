import { readFile } from 'node:fs/promises';
import { extname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Asset {
  readonly type: string;
  readonly body: string | Uint8Array;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.map': 'application/json',
};

const page = fileURLToPath(new URL('./page/', import.meta.url));

/** The page, bundled from source in memory, by path. `splitting`: stores and transports load on demand, as in an app. */
export async function buildAssets(): Promise<ReadonlyMap<string, Asset>> {
  const { outputFiles } = await build({
    entryPoints: [`${page}main.ts`],
    outdir: page,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    sourcemap: 'linked',
    write: false,
    logLevel: 'silent',
  });
  const typeOf = (path: string): string => types[extname(path)] ?? 'application/octet-stream';
  const read = async (name: string): Promise<Asset> => ({ type: typeOf(name), body: await readFile(`${page}${name}`) });
  return new Map<string, Asset>([
    ['/', await read('index.html')],
    ['/style.css', await read('style.css')],
    ...outputFiles.map(({ path, contents }): [string, Asset] => [
      `/${relative(page, path)}`,
      { type: typeOf(path), body: contents },
    ]),
  ]);
}
