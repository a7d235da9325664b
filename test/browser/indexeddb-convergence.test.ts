import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { convergence } from '../convergence/converge.js';
import { folderOfTests } from '../convergence/node.js';
import { plans } from '../convergence/plan.js';
import { bundleServer, startServerBackend, type WebSocketBackend } from '../convergence/websocket-target.js';
import { launchChromium } from './chromium.js';
import { storeSite } from './store-site.js';

const folder = folderOfTests();
let site: Awaited<ReturnType<typeof storeSite>>;
let browser: Browser;
let page: Page;
let server: string;
/** The backend of the plan under way. */
let backend: WebSocketBackend;

/** The page's hand on the backend. */
async function hand(method: string, ...args: readonly unknown[]): Promise<unknown> {
  if (method === 'open') {
    backend = await startServerBackend(server);
    return { url: backend.url, baseUrl: backend.baseUrl };
  }
  const work = backend[method as 'read'] as (...all: readonly unknown[]) => Promise<unknown>;
  const result = work(...args);
  // It resolves when it strikes, which may be never.
  if (method === 'cutAfter') return undefined;
  const answer = await result;
  return answer instanceof Map ? [...answer] : answer;
}

beforeAll(async () => {
  [site, browser, server] = await Promise.all([
    storeSite(resolve(join('test', 'convergence', 'page.ts'))),
    launchChromium(),
    bundleServer(folder),
  ]);
  page = await browser.newPage();
  await page.exposeFunction('hand', hand);
  await page.goto(site.url);
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

convergence({
  name: 'with IndexedDB in Chromium, over a real server, all clients hold in the end what it holds',
  file: 'test/browser/indexeddb-convergence.test.ts',
  plans: plans({ minSteps: 20, maxSteps: 50, pauses: [0, 1, 5, 20, 60] }),
  runs: 12,
  run: (plan) => page.evaluate((given) => globalThis.runPlan(given), plan),
  shrink: false,
});
