import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
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

async function openPage(): Promise<{ page: Page; uncaught: Error[] }> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const uncaught: Error[] = [];
  page.on('pageerror', (error) => uncaught.push(error));
  await page.goto(site.url);
  return { page, uncaught };
}

test('site data that is deleted under an offline app: its edits reach the server, and the disk has all of it again', {
  timeout: 300_000,
}, async () => {
  const server = await createSyncServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  server.collection('todos').save('theirs', { text: 'theirs' });
  const { page, uncaught } = await openPage();
  await page.evaluate((url) => app.open(url), server.url);
  await page.evaluate(() => app.live());
  await page.context().setOffline(true);
  server.dropConnections();
  await page.waitForFunction(() => app.status().phase === 'offline');
  await page.evaluate(() => app.save('before', 'before'));
  const session = await page.context().newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes: 'indexeddb' });
  // The store is made again with what memory has, in the same commit or a later one.
  await page.evaluate(() => app.save('after', 'after'));
  expect(await page.evaluate(() => app.errors())).toEqual(['STORE_FAILED']);
  await page.context().setOffline(false);
  await page.evaluate(() => app.live());
  const all = { theirs: 'theirs', before: 'before', after: 'after' };
  for (const id of ['before', 'after']) expect(server.collection('todos').get(id)).toMatchObject({ text: id });

  await page.reload();
  await page.evaluate((url) => app.open(url, false), server.url);
  expect(await page.evaluate(() => app.rows())).toEqual(all);
  expect(uncaught).toEqual([]);
});

test('an app that is opened, closed and opened again at once, and reloaded, is refused nothing', async () => {
  const { page, uncaught } = await openPage();
  for (let round = 0; round < 5; round++) {
    // As React's StrictMode does: an effect, its cleanup, the effect again.
    await page.evaluate(() => app.openAsStrictMode('wss://localhost:9'));
    await page.evaluate(() => app.save('a', 'saved'));
    expect(await page.evaluate(() => app.rows())).toEqual({ a: 'saved' });
    await page.reload();
  }
  expect(uncaught).toEqual([]);
});
