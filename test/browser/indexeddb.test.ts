import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { storeCases } from '../conformance/store-suite.js';
import { launchChromium } from './chromium.js';
import { storeSite } from './store-site.js';

let site: Awaited<ReturnType<typeof storeSite>>;
let browser: Browser;
let context: BrowserContext;
/** What went wrong in a page and nobody caught. */
const uncaught: Error[] = [];

beforeAll(async () => {
  [site, browser] = await Promise.all([storeSite(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await site?.close();
});

async function tab(): Promise<Page> {
  const page = await context.newPage();
  page.on('pageerror', (error) => uncaught.push(error));
  await page.goto(site.url);
  return page;
}

beforeEach(async () => {
  context = await browser.newContext();
});

afterEach(async () => {
  await context.close();
  expect(uncaught.splice(0)).toEqual([]);
});

describe('store: indexeddb', () => {
  for (const { name } of storeCases) {
    test(name, async () => {
      const page = await tab();
      expect(await page.evaluate((what) => kit.runCase(what), name)).toBeUndefined();
    });
  }
});

describe('tabs', () => {
  /** Opens the store and keeps it in `globalThis.mine`. */
  const open = (page: Page) =>
    page.evaluate(() => {
      const store = kit.store('shared');
      return kit.failing(store.open().then(() => Object.assign(globalThis, { mine: store })));
    });

  test('a second one is refused until the first closes the store', async () => {
    const [first, second] = [await tab(), await tab()];
    expect(await open(first)).toBeUndefined();
    expect(await open(second)).toEqual({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/'shared' is open in another tab.* Close it there/),
    });
    await first.evaluate(() => (globalThis as unknown as { mine: ReturnType<typeof kit.store> }).mine.close());
    expect(await open(second)).toBeUndefined();
    expect(await open(first)).toMatchObject({ code: 'STORE_FAILED' });
  });

  test('a second one gets in once the first tab is gone', async () => {
    const [first, second] = [await tab(), await tab()];
    expect(await open(first)).toBeUndefined();
    const freed = second.evaluate(() => navigator.locks.request('synclayer:shared', () => {}));
    await first.close();
    await freed;
    expect(await open(second)).toBeUndefined();
  });

  test('a tab that is reloaded is not refused because of its former self', async () => {
    const page = await tab();
    for (let round = 0; round < 15; round++) {
      expect(await open(page)).toBeUndefined();
      await page.reload();
    }
  });

  test('other names and the same name elsewhere do not disturb', async () => {
    const page = await tab();
    const result = await page.evaluate(async () => {
      const [one, two] = [kit.store('one'), kit.store('two')];
      await one.open();
      await two.open();
      await one.commit([{ table: 'rows', key: ['todos', '1'], value: 1 }]);
      return kit.read(two);
    });
    expect(result).toEqual([]);
  });

  test('without Web Locks it goes on', async () => {
    await context.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
    const [first, second] = [await tab(), await tab()];
    expect(await open(first)).toBeUndefined();
    expect(await open(second)).toBeUndefined();
  });
});

describe('what a browser can do to a database', () => {
  async function devtools(page: Page): Promise<{ session: CDPSession; origin: string }> {
    return { session: await context.newCDPSession(page), origin: new URL(site.url).origin };
  }

  test('no more space: STORE_FAILED, nothing half done, and the journal saves once there is space again', async () => {
    const page = await tab();
    const { session, origin } = await devtools(page);
    // Before the first commit: Chromium remembers for a while how much space there was.
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 100_000 });
    await page.evaluate(async () => {
      const store = kit.store('full');
      await store.open();
      await store.commit([{ table: 'rows', key: ['todos', 'before'], value: 1 }]);
      const errors: string[] = [];
      const onError = (error: Error) => errors.push(error.message);
      // This test decides when the next try is.
      const journal = kit.createJournal(store, { onError, retryDelay: () => 600_000 });
      Object.assign(globalThis, { full: { store, journal, errors } });
    });
    const failure = await page.evaluate(() => {
      const { journal } = (globalThis as unknown as { full: { journal: ReturnType<typeof kit.createJournal> } }).full;
      const text = 'x'.repeat(2_000_000);
      journal.append([
        { table: 'meta', key: ['todos', 'cursor'], value: 7 },
        { table: 'rows', key: ['todos', 'large'], value: { text } },
      ]);
      return kit.failing(journal.flushed());
    });
    expect(failure).toEqual({ code: 'STORE_FAILED', message: expect.stringMatching(/no more space\. Free some/) });
    await session.send('Storage.overrideQuotaForOrigin', { origin });
    const after = await page.evaluate(async () => {
      const { store, journal, errors } = (
        globalThis as unknown as {
          full: {
            store: ReturnType<typeof kit.store>;
            journal: ReturnType<typeof kit.createJournal>;
            errors: string[];
          };
        }
      ).full;
      const before = [await kit.read(store), await kit.read(store, 'meta')];
      await journal.flushed();
      const rows = await kit.read(store);
      return { before, errors: errors.length, ids: rows.map(([id]) => id), meta: await kit.read(store, 'meta') };
    });
    expect(after.before).toEqual([[['before', 1]], []]);
    expect(after.errors).toBe(1);
    expect(after.ids).toEqual(['before', 'large']);
    expect(after.meta).toEqual([['cursor', 7]]);
  });

  test('site data deleted while open: who writes is told once, so that it begins with everything', async () => {
    const page = await tab();
    const { session, origin } = await devtools(page);
    await page.evaluate(async () => {
      const store = kit.store('deleted');
      await store.open();
      await store.commit([{ table: 'rows', key: ['todos', '1'], value: 1 }]);
      Object.assign(globalThis, { deleted: store });
    });
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' });
    const seen = await page.evaluate(async () => {
      const store = (globalThis as unknown as { deleted: ReturnType<typeof kit.store> }).deleted;
      const write = () => kit.failing(store.commit([{ table: 'meta', key: ['todos', 'cursor'], value: 9 }]));
      const failures = [await write(), await write()];
      const databases = (await indexedDB.databases()).map(({ name }) => name);
      await store.close();
      await store.open();
      const after = [await write(), await kit.read(store), await kit.read(store, 'meta')];
      await store.close();
      return { failures, databases, after };
    });
    const failure = {
      code: 'STORE_FAILED',
      message: expect.stringMatching(/was deleted while it was open.* made again/),
    };
    expect(seen.failures).toEqual([failure, undefined]);
    expect(seen.databases).toEqual(['synclayer:deleted']);
    expect(seen.after).toEqual([undefined, [], [['cursor', 9]]]);
  });

  test.each(['with a close event', 'without a word', 'by aborting a transaction'])(
    'a connection that the browser ends, %s, is made anew',
    async (how) => {
      const page = await tab();
      const rows = await page.evaluate(async (way) => {
        const connections: IDBDatabase[] = [];
        const { transaction } = IDBDatabase.prototype;
        let abort = false;
        IDBDatabase.prototype.transaction = function (...args) {
          connections.push(this);
          const made = transaction.apply(this, args);
          if (abort) queueMicrotask(() => made.abort());
          abort = false;
          return made;
        };
        const store = kit.store('lost');
        await store.open();
        for (let i = 0; i < 3; i++) {
          await store.commit([{ table: 'rows', key: ['todos', `${i}`], value: i }]);
          if (way === 'by aborting a transaction') abort = true;
          else connections.at(-1)?.close();
          if (way === 'with a close event') connections.at(-1)?.dispatchEvent(new Event('close'));
        }
        const found = await kit.read(store);
        const used = new Set(connections).size;
        await store.close();
        await kit.deleted('lost');
        return { found, used };
      }, how);
      expect(rows.found).toEqual([
        ['0', 0],
        ['1', 1],
        ['2', 2],
      ]);
      expect(rows.used).toBe(4);
    },
  );

  test('storage that is not allowed: STORE_FAILED says so, and the lock is given back', async () => {
    const page = await tab();
    const seen = await page.evaluate(async () => {
      const { open } = IDBFactory.prototype;
      const store = kit.store('private');
      const failures = [];
      for (const name of ['SecurityError', 'InvalidStateError']) {
        IDBFactory.prototype.open = () => {
          throw new DOMException('not here', name);
        };
        failures.push(await kit.failing(store.open()));
      }
      IDBFactory.prototype.open = open;
      return { failures, again: await kit.failing(store.open()) };
    });
    const failure = { code: 'STORE_FAILED', message: expect.stringMatching(/private window.* Allow site data/) };
    expect(seen).toEqual({ failures: [failure, failure], again: undefined });
  });

  test('a database of a newer version is left alone', async () => {
    const page = await tab();
    const failure = await page.evaluate(async () => {
      await new Promise((resolve) => {
        const request = indexedDB.open('synclayer:newer', 9);
        request.onsuccess = () => resolve(request.result.close());
      });
      return kit.failing(kit.store('newer').open());
    });
    expect(failure).toEqual({ code: 'STORE_FAILED', message: expect.stringMatching(/newer synclayer.* Reload/) });
  });

  test('an upgrade that another tab blocks is refused, and its late connection is closed', async () => {
    const page = await tab();
    const failure = await page.evaluate(async () => {
      const old = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open('synclayer:blocked', 1);
        request.onsuccess = () => resolve(request.result);
      });
      // There is no second version yet, so the store is made to ask for one.
      const { open } = IDBFactory.prototype;
      IDBFactory.prototype.open = function (name) {
        return open.call(this, name, 2);
      };
      const refused = await kit.failing(kit.store('blocked').open());
      IDBFactory.prototype.open = open;
      old.close();
      await kit.deleted('blocked');
      return refused;
    });
    expect(failure).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('is open in another tab') });
  });
});

test('commits wait for the disk', async () => {
  const page = await tab();
  const seen = await page.evaluate(async () => {
    const { transaction } = IDBDatabase.prototype;
    const durabilities: string[] = [];
    IDBDatabase.prototype.transaction = function (...args) {
      const made = transaction.apply(this, args);
      if (made.mode === 'readwrite') durabilities.push(made.durability);
      return made;
    };
    const store = kit.store('strict');
    await store.open();
    await store.commit([{ table: 'rows', key: ['todos', '1'], value: 1 }]);
    await store.clear();
    await store.close();
    return durabilities;
  });
  expect(seen).toEqual(['strict', 'strict']);
});

test('a value that IndexedDB refuses, though it looks like JSON, leaves nothing behind', async () => {
  const page = await tab();
  const seen = await page.evaluate(async () => {
    const store = kit.store('proxy');
    await store.open();
    const failure = await kit.failing(
      store.commit([
        { table: 'rows', key: ['todos', 'good'], value: 1 },
        { table: 'rows', key: ['todos', 'bad'], value: new Proxy({ a: 1 }, {}) },
      ]),
    );
    return { failure, rows: await kit.read(store) };
  });
  expect(seen).toEqual({ failure: { code: 'STORE_FAILED', message: expect.any(String) }, rows: [] });
});
