import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fromEnv } from '../../../src/index.js';

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
  const page = readFileSync('docs/configuration.md', 'utf8');
  const variables = new Set([...page.matchAll(/SYNCLAYER_[A-Z_]*[A-Z]/g)].map(([name]) => name));
  // A value that each of them can be read from.
  const numbers = /INTERVAL|DELAY|RETRIES|ATTEMPTS|TIMEOUT|SIZE|LIMIT/;
  const textFor = (name: string): string =>
    numbers.test(name) ? '20000' : /ENABLE/.test(name) ? 'true' : /FILTERS/.test(name) ? '{}' : 'websocket';
  const config = fromEnv(Object.fromEntries([...variables].map((name) => [name, textFor(name)])));
  expect(config.transport).toEqual({ type: 'websocket', pingInterval: 20_000 });
  expect(config.logger).toEqual({ enabled: true, minLevel: 'websocket' });
  expect(Object.keys(config.store ?? {}).sort()).toEqual(['name', 'path', 'synchronous', 'type']);
  expect(config.websocketUrl).toBe('websocket');
});
