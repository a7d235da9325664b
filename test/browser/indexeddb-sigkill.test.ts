import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Browser, chromium, type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { findChromium } from './chromium.js';
import { storeSite } from './store-site.js';

const ROUNDS = 4;

declare global {
  /** Given to the page by this test. */
  var report: (n: number) => void;
}

interface Started {
  readonly page: Page;
  /** SIGKILL to the browser and all of its processes; resolves once it is gone. */
  close(): Promise<void>;
  kill(): Promise<void>;
}

const DEVTOOLS = /^DevTools listening on (ws:\S+)/;

/** Reads on after that: a browser whose stderr nobody reads would block once the pipe is full. */
const devtoolsOf = (browser: ChildProcess) =>
  new Promise<string>((resolve, reject) => {
    browser.once('exit', () => reject(new Error('Chromium ended before it was ready')));
    if (browser.stderr === null) return;
    createInterface({ input: browser.stderr }).on('line', (line) => {
      const url = DEVTOOLS.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
  });

/** Playwright does not tell the process of a browser that it launched, so this launches one and connects to it. */
async function start(profile: string, url: string): Promise<Started> {
  const executable = findChromium();
  if (executable === undefined) throw new Error('No Chromium found. Install one, or set CHROME_PATH.');
  const process_ = spawn(
    executable,
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      'about:blank',
    ],
    // A group of its own, so that its helper processes can be killed with it.
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  const exited = once(process_, 'exit');
  const browser: Browser = await chromium.connectOverCDP(await devtoolsOf(process_));
  const [context] = browser.contexts();
  if (context === undefined) throw new Error('Chromium has no default context');
  const page = await context.newPage();
  await page.goto(url);
  return {
    page,
    async close() {
      const session = await browser.newBrowserCDPSession();
      await session.send('Browser.close').catch(() => {});
      await exited;
    },
    async kill() {
      process.kill(-(process_.pid as number), 'SIGKILL');
      await exited;
      await browser.close();
    },
  };
}

test('a browser that is killed in the middle of its commits keeps every one that resolved, and each whole', {
  timeout: 300_000,
}, async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`indexeddb-sigkill: SEED=${seed}`);
  const site = await storeSite();
  const profile = await mkdtemp(join(tmpdir(), 'synclayer-chromium-'));
  let running: Started | undefined;
  let next = 1;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const writing = await start(profile, site.url);
      running = writing;
      const killAfter = 5 + ((seed >>> (round * 3)) % 60);
      let reported = next - 1;
      let killed: Promise<void> | undefined;
      let count = 0;
      await writing.page.exposeFunction('report', (n: number) => {
        reported = n;
        if (++count >= killAfter) killed ??= writing.kill();
      });
      const ended = await writing.page
        .evaluate((first) => kit.writeForEver('killed', first, globalThis.report), next)
        .catch((error: unknown) => error);
      expect(killed, `only a kill may end it, not ${ended}`).toBeDefined();
      await killed;

      const reading = await start(profile, site.url);
      running = reading;
      const { rows, outbox, meta } = await reading.page.evaluate(async () => {
        const store = kit.store('killed');
        await store.open();
        return {
          rows: await kit.read(store),
          outbox: await kit.read(store, 'outbox'),
          meta: await kit.read(store, 'meta'),
        };
      });
      // Closed, not killed: Chromium that is killed while it recovers from a kill can throw the site's databases away.
      await reading.close();
      running = undefined;

      const cursor = Number(new Map(meta).get('cursor') ?? 0);
      const found = new Map(rows);
      expect(cursor, 'every commit that resolved is there').toBeGreaterThanOrEqual(reported);
      expect(found.get('latest'), 'the cursor and the row of one append').toEqual({ n: cursor });
      expect(outbox, 'one outbox entry came, one went').toEqual([[`op-${cursor}`, { n: cursor }]]);
      for (let n = 1; n <= cursor; n++) expect(found.get(`row-${n}`)).toEqual({ n, text: 'x'.repeat(n % 300) });
      expect(found.size, 'nothing of an append that was not committed').toBe(cursor + 1);
      next = cursor + 1;
    }
  } finally {
    await running?.kill().catch(() => {});
    await site.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
  console.log(`indexeddb-sigkill: ${ROUNDS} kills, ${next - 1} appends`);
});
