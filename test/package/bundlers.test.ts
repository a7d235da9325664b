import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folders } from '../../scripts/installed.js';
import { createSyncServer, type SyncServer } from '../../src/server/index.js';
import { findChromium, launchChromium } from '../browser/chromium.js';

/** A project with the packed package, its dependencies and the bundlers, and no SDK: out of reach of this one's node_modules. */
let project: string;
let server: SyncServer;

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const exec = promisify(execFile);
const LIMIT_MS = 180_000;

/** Hard links: it is many files, and one bundler follows no link that leads out of the project. */
function mirror(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) mirror(source, target);
    else if (entry.isSymbolicLink()) cpSync(source, target, { verbatimSymlinks: true });
    else {
      try {
        linkSync(source, target);
      } catch {
        copyFileSync(source, target);
      }
    }
  }
}

async function node(...args: string[]): Promise<string> {
  try {
    return (await exec(process.execPath, args, { cwd: project, timeout: LIMIT_MS })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`node ${args.join(' ')} failed:\n${stdout}\n${stderr}`);
  }
}

const right = {
  text: 'Buy milk',
  state: 'connected',
  supabase: 'PEER_MISSING',
  firestore: 'PEER_MISSING',
  hasura: 'PEER_MISSING',
};

/** What a file that a bundler wrote gives. */
const ran = async (file: string, runner = 'run.mjs'): Promise<unknown> =>
  JSON.parse((await node(runner, file, server.url)).trim().split('\n').at(-1) ?? '');

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'synclayer-bundlers-'));
  mirror(join(folders.bundlers, 'node_modules'), join(project, 'node_modules'));
  cpSync(join(folders.bundlers, 'project'), project, { recursive: true });
  for (const name of Object.keys(manifest.dependencies))
    mirror(join('node_modules', name), join(project, 'node_modules', name));
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', project];
  const packed = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }));
  const [{ filename }] = Array.isArray(packed) ? packed : Object.values(packed);
  const own = join(project, 'node_modules/synclayer');
  mkdirSync(own, { recursive: true });
  execFileSync('tar', ['-xzf', join(project, filename), '--strip-components=1', '-C', own]);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  const app = readFileSync(join(project, 'app.js'), 'utf8');
  const required = app
    .replace(/import (\{.*\}) from ('.*');/, 'const $1 = require($2);')
    .replace('export async function run', 'exports.run = run;\nasync function run');
  writeFileSync(join(project, 'app.cjs'), required);
  server = await createSyncServer({ port: 0 });
}, 120_000);

afterAll(async () => {
  await server?.close();
  if (project !== undefined) rmSync(project, { recursive: true });
});

test.each(['app.js', 'app.cjs'])(
  'Node runs it without a bundler: %s',
  async (file) => {
    expect(await ran(file)).toEqual(right);
  },
  LIMIT_MS,
);

test(
  'esbuild',
  async () => {
    await node('esbuild.mjs');
    expect(await ran('out/esbuild/app.js')).toEqual(right);
  },
  LIMIT_MS,
);

test(
  'Rollup',
  async () => {
    await node('rollup.mjs');
    expect(await ran('out/rollup/app.js')).toEqual(right);
  },
  LIMIT_MS,
);

test(
  'Vite',
  async () => {
    await node('vite.mjs');
    expect(await ran('out/vite/app.js')).toEqual(right);
  },
  LIMIT_MS,
);

test(
  'webpack: an app without configuration, one of modules, and one that requires the package',
  async () => {
    await node('webpack.cjs');
    expect(await ran('out/webpack-modules/app.mjs')).toEqual(right);
    expect(await ran('out/webpack-required/app.cjs')).toEqual(right);
  },
  LIMIT_MS,
);

test.each([
  ['React Native 0.88', '@react-native/metro-config'],
  ['React Native 0.79', 'metro-config-0.79'],
])(
  'Metro for %s, run with the globals of React Native up to 0.86',
  async (_, config) => {
    const out = `out/${config.replace(/\W/g, '-')}.js`;
    await node('metro.cjs', config, out);
    expect(await ran(out, 'react-native.mjs')).toEqual(right);
  },
  LIMIT_MS,
);

describe.each([
  ['Turbopack', '--turbopack'],
  ['webpack', '--webpack'],
])('Next.js with %s', (name, flag) => {
  test(
    'builds it, and runs it on the server and in a browser',
    async () => {
      const next = resolve(project, 'node_modules/next/dist/bin/next');
      const env = {
        ...process.env,
        NODE_ENV: 'production',
        NEXT_TELEMETRY_DISABLED: '1',
        DIST_DIR: `.next-${name}`,
      } as const;
      await exec(process.execPath, [next, 'build', flag], { cwd: project, env, timeout: LIMIT_MS }).catch((error) => {
        throw new Error(`next build ${flag} failed:\n${error.stdout}\n${error.stderr}`);
      });
      const started = spawn(process.execPath, [next, 'start', '-p', '0'], {
        cwd: project,
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(started, 'exit');
      try {
        let address: string | undefined;
        for await (const line of createInterface({ input: started.stdout })) {
          address = /https?:\/\/localhost:\d+/.exec(line)?.[0];
          if (address) break;
        }
        started.stdout.resume();
        const query = `?server=${encodeURIComponent(server.url)}`;
        expect(await (await fetch(`${address}/api/run${query}`)).json()).toEqual(right);
        if (findChromium() === undefined && process.env.CI === undefined) {
          console.warn(`SKIPPED Next.js with ${name} in a browser: no Chromium here.`);
          return;
        }
        const browser = await launchChromium();
        try {
          const page = await browser.newPage();
          await page.goto(`${address}/${query}`);
          const shown = page.locator('pre:not(:empty)');
          expect(JSON.parse((await shown.textContent()) ?? '')).toEqual(right);
        } finally {
          await browser.close();
        }
      } finally {
        started.kill();
        await ended;
      }
    },
    LIMIT_MS,
  );
});
