import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { entries } from '../../scripts/entries.js';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const subpaths = Object.keys(entries).map((name) => (name === 'index' ? 'synclayer' : `synclayer/${name}`));
const forBrowsers = subpaths.filter((name) => !/\/(server|sqlite|migrate)$/.test(name));

/** A project that has installed the packed package with its declared dependencies, and nothing else. */
let scratch: string;
let tarball: string;

const run = (command: string, args: readonly string[], cwd = scratch): string => {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
  }
};
const bin = (name: string): string => resolve('node_modules/.bin', name);
const write = (name: string, text: string): void => writeFileSync(join(scratch, name), text);
const link = (name: string): void => {
  const path = join(scratch, 'node_modules', name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(resolve('node_modules', name), path);
};

beforeAll(() => {
  if (!existsSync('dist/index.js')) throw new Error('Nothing is built. Run `npm run build` first.');
  scratch = mkdtempSync(join(tmpdir(), 'synclayer-package-'));
  const packed = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], '.'));
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  tarball = join(scratch, filename);
  mkdirSync(join(scratch, 'node_modules/synclayer'), { recursive: true });
  run('tar', ['-xzf', tarball, '--strip-components=1', '-C', 'node_modules/synclayer']);
  write('package.json', '{ "private": true, "type": "module" }');
  for (const name of [...Object.keys(manifest.dependencies), 'ws', '@types/node', 'undici-types']) link(name);
}, 60_000);

afterAll(() => {
  if (scratch !== undefined) rmSync(scratch, { recursive: true });
});

test('publint finds nothing to improve', async () => {
  const { messages, pkg } = await publint({ pkgDir: '.', strict: true });
  expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
}, 60_000);

test('the types resolve for import, for require and for bundlers', () => {
  run(bin('attw'), [tarball, '--profile', 'node16', '--no-emoji', '--no-color']);
}, 60_000);

test('what is meant to be published is in the package, and nothing else', () => {
  const paths = run('tar', ['-tzf', tarball]).trim().split('\n');
  const top = new Set(paths.map((path) => path.split('/')[1]));
  const meant = manifest.files.map((path: string) => path.split('/')[0]);
  expect([...top].sort()).toEqual([...new Set([...meant, 'package.json'])].sort());
});

/** As GitHub makes the anchors of headings. */
const anchorsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

test('every link of the packed pages leads to something that is packed too', () => {
  const root = join(scratch, 'node_modules/synclayer');
  const pages = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  expect(pages.length).toBeGreaterThan(8);
  const links = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    return [...text.matchAll(/\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)/g)].map(([, path = '', anchor]) => {
      const target = path === '' ? join(root, page) : join(root, dirname(page), path);
      const leads =
        existsSync(target) && (anchor === undefined || anchorsOf(readFileSync(target, 'utf8')).includes(anchor));
      return { page, path, anchor, leads };
    });
  });
  expect(links.length).toBeGreaterThan(30);
  expect(links.filter(({ leads }) => !leads)).toEqual([]);
});

const load =
  'const { SyncLayerError } = modules[0]; console.log(JSON.stringify(modules.map((m) => [Object.keys(m).length > 0, m.SyncLayerError === undefined || m.SyncLayerError === SyncLayerError])));';

test('Node imports every entry point, and they share their modules', () => {
  write(
    'load.mjs',
    `const modules = await Promise.all(${JSON.stringify(subpaths)}.map((name) => import(name)));\n${load}`,
  );
  expect(JSON.parse(run(process.execPath, ['load.mjs']))).toEqual(subpaths.map(() => [true, true]));
});

test('Node requires every entry point, and they share their modules', () => {
  write('load.cjs', `const modules = ${JSON.stringify(subpaths)}.map((name) => require(name));\n${load}`);
  expect(JSON.parse(run(process.execPath, ['load.cjs']))).toEqual(subpaths.map(() => [true, true]));
});

test('CommonJS requires the SDKs: an app that requires one as well must not meet a second copy of it', () => {
  const dist = join(scratch, 'node_modules/synclayer/dist');
  const imports = readdirSync(dist)
    .filter((file) => file.endsWith('.cjs'))
    .flatMap((file) => readFileSync(join(dist, file), 'utf8').match(/\bimport\(['"](?![./])[^)]*\)/g) ?? []);
  expect(imports).toEqual([]);
});

test('a browser bundle of what is for browsers needs nothing of Node and no peer', async () => {
  write('app.js', forBrowsers.map((name, index) => `export * as entry${index} from '${name}';`).join('\n'));
  rmSync(join(scratch, 'node_modules/ws'));
  try {
    const { outputFiles } = await build({
      entryPoints: [join(scratch, 'app.js')],
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'browser',
      outdir: 'out',
      write: false,
      logLevel: 'silent',
    });
    expect(outputFiles.length).toBeGreaterThan(1);
    for (const file of outputFiles) expect(file.text).not.toMatch(/(?:from|import|require)\s*\(?\s*["']node:/);
  } finally {
    link('ws');
  }
});

/** Checks the declarations themselves too: skipLibCheck stays off. */
const compile = (file: string, names: readonly string[], types: readonly string[]): void => {
  write(file, names.map((name, index) => `export * as entry${index} from '${name}';`).join('\n'));
  const lib = ['es2023', 'dom', 'dom.asynciterable'];
  const compilerOptions = { strict: true, noEmit: true, target: 'es2022', module: 'nodenext', lib, types };
  write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }));
  run(bin('tsc'), ['--project', 'tsconfig.json']);
};

test.each(['app.mts', 'app.cts'])(
  'the types of what is for browsers compile without those of Node: %s',
  (file) => {
    compile(file, forBrowsers, []);
  },
  60_000,
);

test.each(['all.mts', 'all.cts'])(
  'all types compile in a project of Node: %s',
  (file) => {
    compile(file, subpaths, ['node']);
  },
  60_000,
);

/** The command of the package. */
const cli = (...args: string[]): { code: number | null; stdout: string; stderr: string } => {
  const path = join(scratch, 'node_modules/synclayer/dist/cli.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { cwd: scratch, encoding: 'utf8' });
  return { code: status, stdout, stderr };
};

test('the command tells its version', () => {
  expect(cli('--version')).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
});

test('a configuration with export default loads in a project of "type": "commonjs", as npm makes it', () => {
  mkdirSync(join(scratch, 'plain'));
  write('plain/package.json', '{ "type": "commonjs" }');
  const options =
    "{ transport: { type: 'hasura', url: 'http://127.0.0.1:1/v1/graphql', collections: { todos: { fields: ['id', 'text'] } } }, collections: [name] }";
  const code = `import { name } from './name.EXT';\nexport default ${options}`;
  for (const [ext, typed] of [
    ['ts', ' as object;\n'],
    ['js', ';\n'],
  ] as const) {
    write(`plain/name.${ext}`, "export const name = 'todos';\n");
    write(`plain/sync.config.${ext}`, `${code.replace('EXT', ext)}${typed}`);
    const { code: rc, stdout, stderr } = cli('setup', 'hasura', '--config', `plain/sync.config.${ext}`);
    expect([rc, stderr]).toEqual([0, '']);
    expect(stdout).toContain('"public"."todos"');
  }
  write('plain/old.js', "module.exports = { transport: { type: 'hasura' }, collections: ['todos'] };");
  expect(cli('setup', 'hasura', '--config', 'plain/old.js').stderr).toContain('url');
});

test('doctor says what is not installed before it looks at anything', () => {
  const looked = (transport: object, ...more: string[]) => {
    write('doctor.json', JSON.stringify({ transport, collections: ['todos'] }));
    return cli('doctor', '--config', 'doctor.json', ...more);
  };
  const wrong = (words: string) => ({ code: 2, stdout: '', stderr: expect.stringContaining(words) });
  const supabase = { type: 'supabase', url: 'http://127.0.0.1:1', key: 'anon' };
  expect(looked(supabase)).toMatchObject(wrong('npm install @supabase/supabase-js'));
  const hasura = { type: 'hasura', url: 'http://127.0.0.1:1/v1/graphql', collections: { todos: { fields: ['id'] } } };
  expect(looked(hasura)).toMatchObject(wrong('npm install graphql-ws'));
  const firestore = { type: 'firestore', config: { projectId: 'none' }, emulator: '127.0.0.1:1' };
  expect(looked(firestore)).toMatchObject(wrong('npm install firebase'));
  link('@supabase/supabase-js');
  link('graphql-ws');
  try {
    const url = ['--database-url', 'postgres://127.0.0.1:1/none'];
    expect(looked(supabase, ...url)).toMatchObject(wrong('npm install --save-dev pg'));
    expect(looked(hasura, ...url)).toMatchObject(wrong('npm install --save-dev pg'));
  } finally {
    rmSync(join(scratch, 'node_modules/@supabase'), { recursive: true });
    rmSync(join(scratch, 'node_modules/graphql-ws'));
  }
});

test('doctor says that a websocket backend has nothing to examine', () => {
  write('socket.json', JSON.stringify({ websocketUrl: 'ws://127.0.0.1:1/ws', collections: ['todos'] }));
  const { code, stderr } = cli('doctor', '--config', 'socket.json');
  expect([code, stderr]).toEqual([2, expect.stringContaining('A websocket backend has nothing to set up or examine')]);
});

test('the lockfile names no registry', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved"|registry\.|\.tgz/);
});

/** The blocks of a page after this mark. */
const blocksOf = (page: string, mark: string): string[] => {
  const blocks = readFileSync(page, 'utf8').matchAll(new RegExp(`<!-- ${mark} -->\\n\`\`\`ts\\n(.*?)\`\`\``, 'gs'));
  return [...blocks].map(([, code]) => code ?? '');
};

test('the smallest transport of docs/custom-transport.md runs as it stands', () => {
  const blocks = blocksOf('docs/custom-transport.md', 'run');
  expect(blocks.length).toBe(1);
  write('shelf.mjs', blocks[0] ?? '');
  expect(run(process.execPath, ['shelf.mjs'])).toBe("laptop [ { text: 'Buy milk', id: '1' } ]\n");
});

test('the MQTT transport is a project of its own: it compiles, runs and passes the conformance suite', () => {
  cpSync(join(scratch, 'node_modules/synclayer/examples/custom-transport'), join(scratch, 'mqtt'), { recursive: true });
  const folder = join(scratch, 'mqtt');
  for (const name of ['mqtt', 'aedes', 'tsx']) link(name);
  const compilerOptions = { strict: true, noEmit: true, target: 'es2022', module: 'nodenext', types: ['node'] };
  const lib = ['es2023', 'dom', 'dom.asynciterable'];
  // The types of mqtt and aedes are theirs to keep right.
  write('mqtt/tsconfig.json', JSON.stringify({ compilerOptions: { ...compilerOptions, lib, skipLibCheck: true } }));
  const [registered = ''] = blocksOf('docs/custom-transport.md', 'run in examples/custom-transport');
  write('mqtt/registered.ts', registered);
  const typed = blocksOf('docs/configuration.md', 'types');
  expect(typed.length).toBe(2);
  for (const [index, code] of typed.entries()) write(`mqtt/typed-${index}.ts`, code);
  // What is misspelt does not compile.
  write('mqtt/misspelt.ts', (typed[0] ?? '').replace('collections:', '// @ts-expect-error\n colections:'));
  run(bin('tsc'), ['--project', 'tsconfig.json'], folder);
  const tsx = (...args: string[]): string => run(process.execPath, ['--import', 'tsx', ...args], folder);
  expect(tsx('registered.ts')).toBe("device [ { text: 'Buy milk', id: '1' } ]\n");
  expect(tsx('demo.ts')).toMatch(/^laptop .*\nphone .*\nbackend .*Written offline.*\n$/);
  const [proof = ''] = blocksOf('docs/custom-transport.md', 'test in examples/custom-transport');
  write('mqtt/conformance.test.ts', proof);
  const report = tsx('--test', '--test-reporter=tap', 'conformance.test.ts');
  expect(report).toMatch(/# pass [5-9]\d\n# fail 0\n/);
}, 120_000);

test('the examples that README.md marks as running do run, as they stand', () => {
  const blocks = blocksOf('README.md', 'run');
  expect(blocks.length).toBeGreaterThan(0);
  for (const [index, code] of blocks.entries()) {
    write(`readme-${index}.mjs`, code);
    const output = run(process.execPath, [`readme-${index}.mjs`]);
    expect(output).toMatch(/text: 'Buy milk',\s+done: false/);
    expect(output).toMatch(/phase: 'paused', pending: 1/);
  }
}, 60_000);

test.each(['api', 'testing', 'compose'])(
  'docs/%s.md, its blocks one after the other, prints what it says',
  (page) => {
    const program = blocksOf(`docs/${page}.md`, 'run').join('\n');
    const printed = [...program.matchAll(/\/\/ prints (.*)$/gm)].map(([, line]) => line);
    expect(printed.length).toBeGreaterThan(3);
    write(`${page}.mjs`, program);
    expect(
      run(process.execPath, [`${page}.mjs`])
        .trim()
        .split('\n'),
    ).toEqual(printed);
  },
  60_000,
);
