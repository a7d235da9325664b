import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Row } from '../../src/base/change.js';
import { createSyncServer } from '../../src/server/index.js';
import { launchChromium } from './chromium.js';
import { storeSite } from './store-site.js';

let site: Awaited<ReturnType<typeof storeSite>>;
let browser: Browser;

beforeAll(async () => {
  [site, browser] = await Promise.all([
    storeSite(join(import.meta.dirname, 'indexeddb-switch-page.ts')),
    launchChromium(),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

/** A server with these rows, and a second hand on them. */
async function startServer(rows: Readonly<Record<string, string>>) {
  const server = await createSyncServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  const address = new URL('/sync/todos', server.url.replace(/^ws/, 'http'));
  const ask = async (method: string, body?: object): Promise<unknown> => {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const response = await fetch(`${address}${body ? '' : '?seq=0'}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const write = (recordId: string, text: string) => ask('POST', { recordId, data: { text } });
  for (const [id, text] of Object.entries(rows)) await write(id, text);
  return {
    url: server.url,
    write,
    async rows(): Promise<Record<string, unknown>> {
      const { records } = (await ask('GET')) as { records: { recordId: string; data: Row | null }[] };
      return Object.fromEntries(records.flatMap(({ recordId, data }) => (data ? [[recordId, data.text]] : [])));
    },
  };
}

test('an app in a browser that was edited offline on one server takes its edits to another', {
  timeout: 300_000,
}, async () => {
  const a = await startServer({ both: 'A', edited: 'x', deleted: 'x', onlyA: 'A' });
  const b = await startServer({ both: 'B', edited: 'x', deleted: 'x', onlyB: 'B' });
  // A has counted further than B: its place and its versions would hide all that B has.
  for (let n = 0; n < 20; n++) await a.write('both', `A${n}`);
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const uncaught: Error[] = [];
  const tab = async (url: string): Promise<Page> => {
    const page = await context.newPage();
    page.on('pageerror', (error) => uncaught.push(error));
    await page.goto(site.url);
    await page.evaluate((address) => app.open(address), url);
    return page;
  };

  const first = await tab(a.url);
  await first.evaluate(() => app.live());
  expect(await first.evaluate(() => app.rows())).toEqual(await a.rows());
  await context.setOffline(true);
  await first.waitForFunction(() => app.status().phase === 'offline');
  await first.evaluate(async () => {
    await app.update('edited', 'mine');
    await app.delete('deleted');
    await app.save('new', 'mine');
  });
  const left = await a.rows();
  // The tab is gone in that moment: nothing is closed in good order.
  await first.close();
  await context.setOffline(false);

  const second = await tab(b.url);
  await second.evaluate(() => app.live());
  const expected = { both: 'B', edited: 'mine', new: 'mine', onlyB: 'B' };
  expect(await second.evaluate(() => app.rows())).toEqual(expected);
  expect(await b.rows()).toEqual(expected);
  expect(await a.rows(), 'nothing went to the old one').toEqual(left);
  await second.close();

  // And back: the first is another backend again.
  const third = await tab(a.url);
  await third.evaluate(() => app.live());
  expect(await third.evaluate(() => app.rows())).toEqual(left);
  expect(await third.evaluate(() => app.pending())).toEqual([]);
  expect(uncaught).toEqual([]);
});
