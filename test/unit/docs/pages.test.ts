import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSyncLayer, fromEnv } from '../../../src/index.js';

const headings = (page: string): string[] => [...page.matchAll(/^## (.*)$/gm)].map(([, heading = '']) => heading);

test('the README of every adapter has the headings of the template in CONTRIBUTING.md, in that order', () => {
  const [, template = ''] = /```md\n {3}# Acme\n(.*?)```/s.exec(readFileSync('CONTRIBUTING.md', 'utf8')) ?? [];
  const asked = [...template.matchAll(/^ {3}## (.*?) {2,}/gm)].map(([, heading = '']) => heading);
  expect(asked.length).toBeGreaterThan(5);
  const readmes = globSync('adapters/*/README.md');
  expect(readmes.length).toBeGreaterThan(1);
  for (const path of readmes) {
    const own = headings(readFileSync(path, 'utf8'));
    expect(
      own.filter((heading) => asked.includes(heading)),
      path,
    ).toEqual(asked);
  }
});

test('docs/configuration.md names variables that are known, and every kind of them', () => {
  const page = readFileSync('docs/configuration.md', 'utf8').replaceAll(/```sh\n.*?```/gs, '');
  const variables = new Set([...page.matchAll(/SYNCLAYER_[A-Z_]*[A-Z]/g)].map(([name]) => name));
  // A value that each of them can be read from.
  const numbers = /INTERVAL|DELAY|RETRIES|ATTEMPTS|TIMEOUT|SIZE|LIMIT/;
  const textFor = (name: string): string =>
    numbers.test(name) ? '20000' : /ENABLE/.test(name) ? 'true' : /FILTERS/.test(name) ? '{}' : 'websocket';
  const config = fromEnv(Object.fromEntries([...variables].map((name) => [name, textFor(name)])));
  expect(config.transport).toEqual({ type: 'websocket', heartbeatInterval: 20_000 });
  expect(config.logger).toEqual({ enabled: true, minLevel: 'websocket' });
  expect(Object.keys(config.store ?? {}).sort()).toEqual(['name', 'path', 'synchronous', 'type']);
  expect(config.websocketUrl).toBe('websocket');
});

const lines = readFileSync('docs/configuration.md', 'utf8').match(/^SYNCLAYER_TRANSPORT=.*$/gm) ?? [];
test('docs/configuration.md shows the environment of every backend', () => {
  const shown = lines.map((line) => /^SYNCLAYER_TRANSPORT=(\w+)/.exec(line)?.[1]).sort();
  expect(shown).toEqual(
    globSync('adapters/*/index.ts')
      .map((path) => path.split('/')[1])
      .sort(),
  );
});
test.each(lines)('docs/configuration.md: an app opens with %s', async (line) => {
  const env = Object.fromEntries(
    [...line.matchAll(/(SYNCLAYER_\w+)=(?:'([^']*)'|(\S+))/g)].map(([, name = '', quoted, bare]) => [
      name,
      quoted ?? bare,
    ]),
  );
  // Offline: nobody is asked.
  const sync = await createSyncLayer({
    ...fromEnv(env),
    collections: ['todos'],
    enableRealtimeSync: false,
    enableAutoSync: false,
  });
  expect(sync.inspect().transport).toBe(env.SYNCLAYER_TRANSPORT);
  await sync.close();
});

test('docs/architecture.md names every module of src/sync and src/transport, and none that is not there', () => {
  const [, section = ''] = readFileSync('docs/architecture.md', 'utf8').split(
    '## Every module of sync and transport\n',
  );
  const tables = [...(section.split(/^## /m)[0] ?? '').matchAll(/^`(src\/[\w/]+)\/`:\n\n((?:\|.*\n)+)/gm)];
  const named = tables.flatMap(([, folder = '', table = '']) =>
    [...table.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([\w/-]+)`/g)].map(([, name]) => `${folder}/${name}.ts`),
    ),
  );
  const modules = globSync(['src/sync/**/*.ts', 'src/transport/*.ts']).map((path) => path.replaceAll('\\', '/'));
  expect(named.sort()).toEqual(modules.sort());
});

test('the pages name no file that does not exist', () => {
  const pages = globSync(['docs/*.md', 'adapters/*/README.md', 'README.md', 'CONTRIBUTING.md']);
  expect(pages.length).toBeGreaterThan(10);
  const missing = pages.flatMap((page) => {
    const text = readFileSync(page, 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, to = '']) => join(page, '..', to));
    const paths = [...text.matchAll(/`((?:src|adapters|test|examples|scripts|bench|docs)\/[\w./-]+)`/g)].map(
      ([, path = '']) => path,
    );
    // The adapter that CONTRIBUTING.md teaches to write is called Acme.
    return [...links, ...paths]
      .filter((path) => !/\/acme\//.test(path) && !existsSync(path))
      .map((path) => `${page}: ${path}`);
  });
  expect(missing).toEqual([]);
});
