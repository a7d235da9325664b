import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { createTcpProxy } from '../../src/testing/index.js';
import { losses } from '../peers/firestore/losses.js';
import { type Emulator, startEmulator } from '../peers/firestore/start-emulator.js';
import { launchChromium } from './chromium.js';
import { storeSite } from './store-site.js';

const MINUTE = 60_000;
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** A short heartbeat, for short tests; not so short that a busy machine misses it. */
const HEARTBEAT = 2000;

let emulator: Emulator;
let site: Awaited<ReturnType<typeof storeSite>>;
let browser: Browser;
beforeAll(async () => {
  [site, emulator, browser] = await Promise.all([
    storeSite(join(import.meta.dirname, 'firestore-page.ts')),
    startEmulator(),
    launchChromium(),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await emulator?.close();
  await site?.close();
});

/** A device: a page in a browser profile of its own. */
async function device(projectId: string, port: number): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const uncaught: Error[] = [];
  page.on('pageerror', (error) => uncaught.push(error));
  onTestFinished(async () => {
    await page.evaluate(() => mine.close());
    await context.close();
    expect(uncaught).toEqual([]);
  });
  await page.goto(site.url);
  await page.evaluate(
    async ([project, at, heartbeat]) => {
      globalThis.mine = await firestoreKit.device(project, at, heartbeat);
    },
    [projectId, port, HEARTBEAT] as const,
  );
  await isLive(page);
  return page;
}

const isLive = (page: Page): Promise<unknown> =>
  page.waitForFunction(() => mine.live(), undefined, { timeout: 2 * MINUTE });
const rows = (page: Page): Promise<Record<string, unknown>> => page.evaluate(() => mine.rows());
const told = (page: Page): Promise<readonly string[]> => page.evaluate(() => mine.told());

test.each(losses)('two devices in Chromium, and the line of one is lost: $how', async ({ begin, end }) => {
  const projectId = `b-${crypto.randomUUID()}`;
  const hand = emulator.project(projectId);
  await hand.writeAll(new Map(['a', 'b'].map((id) => [`todos/${id}`, { text: id }])));
  const line = await createTcpProxy({ port: emulator.port });
  onTestFinished(() => line.close());
  const [one, two] = [await device(projectId, line.port), await device(projectId, emulator.port)];
  await two.evaluate(() => mine.save('c', 'from two'));
  await expect.poll(() => rows(one), { timeout: 2 * MINUTE }).toEqual({ a: 'a', b: 'b', c: 'from two' });

  const began = performance.now();
  await begin(line);
  await two.evaluate(() => Promise.all([mine.save('d', 'meanwhile'), mine.delete('a')]));
  await one.waitForFunction(() => mine.losses() > 0, undefined, { timeout: 2 * MINUTE });
  const noticed = performance.now() - began;
  await one.evaluate(() => mine.save('e', 'offline'));
  await isLive(two);
  await end(line);
  const back = performance.now();
  const expected = { b: 'b', c: 'from two', d: 'meanwhile', e: 'offline' };
  for (const page of [one, two])
    await expect.poll(() => rows(page), { timeout: 2 * MINUTE, interval: 20 }).toEqual(expected);
  await isLive(one);
  const consistent = performance.now() - back;
  console.log(`noticed after ${noticed.toFixed(0)} ms, consistent ${consistent.toFixed(0)} ms after the return`);
  expect((await told(one)).toSorted()).toEqual(['delete a', 'insert a', 'insert b', 'insert c', 'insert d']);
  expect((await told(two)).toSorted()).toEqual(['insert a', 'insert b', 'insert e']);
});
