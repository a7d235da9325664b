/** What a browser downloads of a program: bundled, minified and gzipped, by the chunks that it loads. */
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

/** What an app has chosen with its backend. */
const sdks = ['@supabase/supabase-js', 'firebase', 'aws-amplify', 'graphql-ws'];

type Outputs = Metafile['outputs'];

function reached(outputs: Outputs, file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { path, kind, external } of outputs[file]?.imports ?? [])
    if (kind !== 'dynamic-import' && external !== true) reached(outputs, path, seen);
  return seen;
}

export interface Weight {
  /** Bytes of the first chunk and all that it imports statically. */
  readonly size: number;
  /** What is reached only by import(), beyond that. */
  readonly lazy: readonly { readonly name: string; readonly size: number }[];
}

export interface WeighOptions {
  /** Packages that are not counted. Default: what an app has chosen with its backend. */
  readonly external?: readonly string[];
  /** Parts that the first chunk loads by itself, counted with it: `live` for `live.js`. */
  readonly parts?: readonly string[] | undefined;
}

/** `program`: the text of a module. */
export async function weigh(program: string, { external = sdks, parts = [] }: WeighOptions = {}): Promise<Weight> {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: program,
      resolveDir: process.cwd(),
      sourcefile: 'app.js',
    },
    // What is built, not the source that the paths of tsconfig.json name.
    tsconfigRaw: '{}',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: 'out',
    entryNames: 'app',
    chunkNames: '[name]-[hash]',
    metafile: true,
    write: false,
    legalComments: 'none',
    logLevel: 'error',
    external: [...external],
    // What benchmarks compare with is installed there.
    nodePaths: ['bench/node_modules'],
  });
  const gzipped = new Map(
    outputFiles.map((file) => [basename(file.path), gzipSync(file.contents, { level: 9 }).length]),
  );
  const sum = (files: Iterable<string>): number =>
    [...files].reduce((total, file) => total + (gzipped.get(basename(file)) ?? 0), 0);
  const first = reached(metafile.outputs, 'out/app.js');
  const isPart = (file: string): boolean =>
    parts.some((part) => basename(metafile.outputs[file]?.entryPoint ?? '').startsWith(`${part}-`));
  for (const file of [...first])
    for (const { path } of metafile.outputs[file]?.imports ?? [])
      if (isPart(path)) reached(metafile.outputs, path, first);
  const lazy = Object.entries(metafile.outputs)
    .filter(([file, output]) => !first.has(file) && output.entryPoint !== undefined)
    .map(([file, output]) => ({
      name: basename(output.entryPoint ?? file),
      size: sum([...reached(metafile.outputs, file)].filter((each) => !first.has(each))),
    }));
  return { size: sum(first), lazy };
}
