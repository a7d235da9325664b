import type { Browser, BrowserContextOptions, ConsoleMessage, Page } from 'playwright-core';
import { afterAll, test as base, beforeAll, describe, expect } from 'vitest';
import { type DevicePage, openDemo } from '../../examples/demo/drive.js';
import { runHeadlessCheck } from '../../examples/demo/headless-check.js';
import { type Demo, startDemo } from '../../examples/demo/server.js';
import { launchChromium } from './chromium.js';
import { contrastProblems } from './contrast.js';
import { busiestTask } from './main-thread.js';

/** A limit ends what hangs: on a busy machine everything takes many times as long. */
const TIMEOUT = 300_000;

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

/** What Chromium itself says of a socket that a cut wire refused; a page cannot prevent it. */
const isRefusedSocket = (message: ConsoleMessage): boolean =>
  /^WebSocket connection to 'ws:\/\/127\.0\.0\.1:\d+\/wire\/[\w-]+' failed/.test(message.text());

/** A page of its own, with everything that must not happen on it. */
async function openPage(demo: Demo, problems: string[], options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(TIMEOUT / 3);
  context.on('weberror', (error) => problems.push(`page error: ${error.error().message}`));
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !isRefusedSocket(message))
      problems.push(`console: ${message.text()}`);
  });
  context.on('request', (sent) => {
    if (!sent.url().startsWith(demo.url) && !sent.url().startsWith('data:')) problems.push(`request: ${sent.url()}`);
  });
  return context.newPage();
}

interface Fixtures {
  readonly demo: Demo;
  readonly problems: string[];
  readonly page: Page;
  readonly devices: { readonly a: DevicePage; readonly b: DevicePage };
}

/** Each test has a demo, a backend and a browser profile of its own, and ends with nothing gone wrong in the page. */
const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures from the pattern
  demo: async ({}, use) => {
    const demo = await startDemo({ port: 0, backend: 'websocket', seed: [] });
    await use(demo);
    await demo.close();
  },
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures from the pattern
  problems: async ({}, use) => {
    const problems: string[] = [];
    await use(problems);
    expect(problems).toEqual([]);
  },
  page: async ({ demo, problems }, use) => {
    const page = await openPage(demo, problems);
    await use(page);
    await page.context().close();
  },
  devices: async ({ demo, page }, use) => use(await openDemo(page, demo.url)),
});

const gone = (locator: { waitFor(options: { state: 'detached' }): Promise<void> }) =>
  locator.waitFor({ state: 'detached' });

/** The kinds in the event stream, oldest first, as `A insert`. */
const events = (page: Page): Promise<string[]> =>
  page
    .locator('.stream li')
    .evaluateAll((lines) => lines.map((line) => `${line.dataset.device} ${line.dataset.kind}`).reverse());

describe('two devices', { timeout: TIMEOUT }, () => {
  test('add, tick, edit and delete reach the other device', async ({ devices: { a, b } }) => {
    await a.add('Milk');
    await b.todo('Milk').waitFor();
    await b.checkbox('Milk').check();
    await a.card.locator('li.done').waitFor();
    expect(await a.checkbox('Milk').isChecked()).toBe(true);
    await b.edit('Milk', 'Oat milk');
    await a.todo('Oat milk').waitFor();
    expect(await a.todo('Oat milk').textContent()).toBe('Oat milk');
    await a.deleteButton('Oat milk').click();
    await gone(b.todo('Oat milk'));
    await b.card.getByText('Nothing to do.').waitFor();
  });

  test('a cut wire is a lost socket: edits wait, and are delivered after it', async ({ page, devices: { a, b } }) => {
    await a.add('Milk');
    await b.todo('Milk').waitFor();
    await a.setWire(false);
    expect(await page.evaluate(() => window.demo?.devices.a.sync.realtime.state.status)).not.toBe('connected');
    await a.checkbox('Milk').check();
    await a.add('Bread');
    await a.pending.filter({ hasText: '2 pending' }).waitFor();
    await b.add('Eggs');
    await b.phase.filter({ hasText: 'Live' }).waitFor();
    expect(await b.todo('Bread').count()).toBe(0);
    expect(await a.todo('Eggs').count()).toBe(0);

    await a.setWire(true);
    await b.todo('Bread').waitFor();
    await b.card.locator('li.done').waitFor();
    await a.todo('Eggs').waitFor();
    expect(await a.pending.isVisible()).toBe(false);
  });

  test('a reload keeps data, unsent edits and the cut', async ({ page, devices }) => {
    await devices.a.add('Milk');
    await devices.b.todo('Milk').waitFor();
    await devices.a.setWire(false);
    await devices.b.setWire(false);
    await devices.a.add('Bread');
    await devices.a.pending.filter({ hasText: '1 pending' }).waitFor();
    await page.reload();
    const { a, b } = devices;
    await a.todo('Milk').waitFor();
    await a.todo('Bread').waitFor();
    await b.todo('Milk').waitFor();
    await a.pending.filter({ hasText: '1 pending' }).waitFor();
    await a.phase.filter({ hasText: 'Offline' }).waitFor();
    expect(await a.wire.isChecked()).toBe(false);
    await b.setWire(true);
    expect(await b.todo('Bread').count()).toBe(0);
    await a.setWire(true);
    await b.todo('Bread').waitFor();
  });

  test('what is being typed survives what arrives; Escape gives it up', async ({ page, devices: { a, b } }) => {
    await a.add('Milk');
    await b.todo('Milk').click();
    await b.field.press('End');
    await b.field.pressSequentially(', two');
    const changeOnA = (text: string) =>
      page.evaluate(async (text) => {
        const todos = window.demo?.devices.a.sync.collection('todos').orderBy('addedAt');
        const { id = '' } = (await todos?.first()) ?? {};
        await window.demo?.devices.a.sync.collection('todos').update(id, { text });
      }, text);
    await changeOnA('Oat milk');
    // Comes in above the one that is being edited.
    await page.evaluate(async () => {
      const todos = window.demo?.devices.a.sync.collection('todos');
      await todos?.save({ text: 'Bread', done: false, addedAt: Date.now() });
    });
    await b.todo('Bread').waitFor();
    await a.todo('Oat milk').waitFor();
    expect(await b.field.inputValue()).toBe('Milk, two');
    expect(await b.field.evaluate((field) => field === document.activeElement)).toBe(true);
    await b.field.press('Escape');
    await b.todo('Oat milk').waitFor();
    // Left as it was: nothing is written, although the row has changed meanwhile.
    await b.todo('Oat milk').click();
    await changeOnA('Soy milk');
    await b.card.locator('.text', { hasText: 'Soy milk' }).waitFor({ state: 'attached' });
    await b.field.press('Tab');
    await b.todo('Soy milk').waitFor();
    expect(await b.pending.isVisible()).toBe(false);
    expect((await events(page)).filter((event) => event === 'B edit')).toEqual([]);
  });
});

describe('conflicts', { timeout: TIMEOUT }, () => {
  const expectations = [
    { strategy: 'serverWins', says: 'Server wins: the backend’s row is kept.', winner: 'A' },
    { strategy: 'clientWins', says: 'Client wins: device B’s edit is kept.', winner: 'B' },
    // A's edit was made before B's, and committed after it was made.
    { strategy: 'lastWriteWins', says: 'Last write wins: device B’s edit is kept.', winner: 'B' },
  ] as const;

  test('each strategy: both values, the base and the winner are shown', async ({ page, devices: { a, b } }) => {
    await a.add('Milk');
    await b.todo('Milk').waitFor();
    const panel = page.getByRole('region', { name: 'Conflict, resolved on device B' });
    const value = (name: string) => panel.locator(`dt:text-is("${name}") + dd`);
    for (const { strategy, says, winner } of expectations) {
      await b.strategy.selectOption(strategy);
      await b.phase.filter({ hasText: 'Live' }).waitFor();
      const base = await a.card.locator('.text').textContent();
      await page.getByRole('button', { name: 'Make a conflict' }).click();
      await panel.getByText(says).waitFor();
      expect(await value('Base').textContent()).toBe(base);
      expect(await value('Device B').locator('.value').textContent()).toMatch(/^Milk \(B, /);
      expect(await value('Backend').locator('.value').textContent()).toMatch(/^Milk \(A, /);
      expect(await value('Device B').locator('.when').textContent()).toMatch(/^edited \d/);
      expect(await value('Backend').locator('.when').textContent(), 'kept by the backend').toMatch(/^edited \d/);
      const kept = panel.locator('dd:has(.kept) .value');
      const text = (await kept.textContent()) ?? '';
      expect(text).toMatch(new RegExp(`^Milk \\(${winner}, `));
      for (const device of [a, b]) await device.todo(text).waitFor();
      await page.getByText('B had to resolve').waitFor();
    }
    await page.locator('.stream li[data-device=B][data-kind=resolved]').nth(2).waitFor();
    const seen = await events(page);
    expect(seen.filter((event) => event === 'B conflict')).toHaveLength(3);
    expect(seen.filter((event) => event === 'B resolved')).toHaveLength(3);
  });
});

describe('events', { timeout: TIMEOUT }, () => {
  test('the stream tells each step of both devices, with its time', async ({ page, devices: { a, b } }) => {
    await a.add('Milk');
    await b.todo('Milk').waitFor();
    await b.checkbox('Milk').check();
    await a.card.locator('li.done').waitFor();
    await b.deleteButton('Milk').click();
    await gone(a.todo('Milk'));
    await a.setWire(false);
    await a.setWire(true);
    // The stream is drawn once a frame.
    await page.locator('.stream li[data-device=A][data-kind=connected]').nth(1).waitFor();
    const seen = await events(page);
    const order = ['A connected', 'A edit', 'B insert', 'A update', 'A delete', 'A disconnected'];
    const places = order.map((event) => seen.indexOf(event));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((x, y) => x - y));
    expect(seen.lastIndexOf('A connected')).toBeGreaterThan(seen.indexOf('A disconnected'));
    expect(seen).toContain('A sent');
    const times = await page.locator('.stream time').allInnerTexts();
    expect(times.every((time) => /^\d\d:\d\d:\d\d\.\d{3}$/.test(time))).toBe(true);
  });

  test('it keeps the last 200, and counts in a burst', async ({ page, devices: { b } }) => {
    await page.evaluate(async () => {
      const todos = window.demo?.devices.a.sync.collection('todos');
      for (let index = 0; index < 110; index++) {
        await todos?.save({ text: `Todo ${index}`, done: false, addedAt: index });
        await window.demo?.devices.a.until(({ pending }) => pending === 0);
        // A frame each: more of a kind in one frame become a counter.
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    });
    await page.locator('.stream li:nth-child(200)').waitFor();
    await b.todo('Todo 109').waitFor();
    expect(await page.locator('.stream li').count()).toBe(200);

    await page.getByRole('button', { name: 'Burst: 500 todos' }).click();
    await page.getByText(/^500 todos: on A’s disk in/).waitFor();
    await b.card.getByText('610 todos, the newest 100 shown').waitFor();
    expect(await b.card.locator('li').count()).toBe(100);
    await page.locator('.stream li[data-device=B][data-kind=insert]').getByText('× 500').waitFor();
    expect(await page.locator('.stream li').count()).toBe(200);
  });
});

describe('access', { timeout: TIMEOUT }, () => {
  test('the keyboard is enough', async ({ page, devices: { a, b } }) => {
    const { keyboard } = page;
    const focusOn = (label: string) =>
      page.waitForFunction(
        (label) => (document.activeElement?.ariaLabel ?? document.activeElement?.textContent) === label,
        label,
      );
    // From the top: the first skip link leads to device A.
    await keyboard.press('Tab');
    await focusOn('Device A');
    await keyboard.press('Enter');
    await keyboard.press('Tab');
    await focusOn('On conflict, device A');
    await keyboard.press('Tab');
    for (const text of ['Milk', 'Bread']) {
      await keyboard.type(text);
      await keyboard.press('Enter');
      await a.todo(text).waitFor();
    }
    await keyboard.press('Tab');
    await keyboard.press('Tab');
    await focusOn('Done: Bread');
    await keyboard.press('ArrowDown');
    await focusOn('Done: Milk');
    await keyboard.press('Space');
    await a.card.locator('li.done').waitFor();
    await keyboard.press('Tab');
    await focusOn('Edit: Milk');
    await keyboard.press('Enter');
    await keyboard.press('End');
    await keyboard.type(', two litres');
    await keyboard.press('Enter');
    await a.todo('Milk, two litres').waitFor();
    await b.todo('Milk, two litres').waitFor();
    await focusOn('Edit: Milk, two litres');
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await gone(a.todo('Milk, two litres'));
    // The focus stays near, and is visible.
    await focusOn('Delete: Bread');
    expect(
      await page.evaluate(() => document.activeElement && getComputedStyle(document.activeElement).outlineStyle),
    ).toBe('solid');
    await keyboard.press('Enter');
    await gone(a.todo('Bread'));
    await focusOn('New todo on device A');
    // The wire is a switch.
    await a.wire.focus();
    await keyboard.press('Space');
    await a.phase.filter({ hasText: 'Offline' }).waitFor();
    await keyboard.press('Space');
    await a.phase.filter({ hasText: 'Live' }).waitFor();
  });

  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [1440, 390])
      test(`${colorScheme}, ${width} px: text has contrast AA, controls have names, nothing sticks out`, async ({
        demo,
        problems,
      }) => {
        const page = await openPage(demo, problems, { colorScheme, viewport: { width, height: 860 } });
        const { a, b } = await openDemo(page, demo.url);
        await a.add('Milk');
        await b.todo('Milk').waitFor();
        await page.getByRole('button', { name: 'Make a conflict' }).click();
        await page.getByText('B had to resolve').waitFor();
        await b.card.getByRole('checkbox').check();
        await a.setWire(false);
        await a.add('Bread');
        await a.pending.waitFor();
        expect(await contrastProblems(page)).toEqual([]);
        const unnamed = await page.locator('main').evaluate((main) =>
          [...main.querySelectorAll('button, input, select, section')]
            .filter((each) => each.checkVisibility())
            .filter(
              (each) => !each.ariaLabel && !each.textContent?.trim() && !(each as HTMLInputElement).labels?.length,
            )
            .map((each) => each.outerHTML),
        );
        expect(unnamed).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
        await page.context().close();
      });
});

/** Saves 10 000 todos on A while it is offline, restores its wire, and edits some while the others are on their way. */
const saveOfflineAndSend = (page: Page): Promise<{ pending: number; saving: number; sending: number }> =>
  page.evaluate(async () => {
    const { a, b } = window.demo?.devices ?? {};
    if (!a || !b) throw new Error('The page has no devices.');
    const todos = a.sync.collection('todos');
    const began = performance.now();
    const ids: string[] = [];
    for (let first = 0; first < 10_000; first += 100) {
      const saves = Array.from({ length: 100 }, (_, index) =>
        todos.save({ text: `Revision 0 of ${first + index}`, done: false, addedAt: first + index }),
      );
      ids.push(...(await Promise.all(saves)));
    }
    const saved = performance.now();
    const pending = a.sync.status.pending;
    await a.wire.restore();
    // Some are edited again while the others are on their way.
    const edited = ids.filter((_, index) => index % 20 === 0);
    for (const revision of [1, 2, 3]) {
      const left = 10_000 - revision * 2_500;
      await a.until((status) => status.pending <= left);
      await Promise.all(edited.map((id, index) => todos.update(id, { text: `Revision ${revision} of ${index * 20}` })));
    }
    await a.until(({ phase, pending }) => phase === 'live' && pending === 0);
    const sent = performance.now();
    const last = edited.at(-1) ?? '';
    for await (const rows of b.sync.collection('todos').where('id', '==', last).watch())
      if (rows[0]?.text.startsWith('Revision 3')) break;
    return { pending, saving: saved - began, sending: sent - saved };
  });

describe('many', { timeout: 300_000 }, () => {
  test('a second tab has devices of its own, a duplicated one too', async ({ page, devices: { a, b } }) => {
    await a.add('Milk');
    await b.todo('Milk').waitFor();
    const opened = page.waitForEvent('popup');
    // Such a tab starts with a copy of this one's sessionStorage.
    await page.evaluate(() => void window.open(location.href));
    const other = await openDemo(await opened, page.url());
    await other.a.todo('Milk').waitFor();
    await other.a.setWire(false);
    expect(await a.phase.textContent()).toBe('Live');
    await other.a.add('Bread');
    await other.a.setWire(true);
    await b.todo('Bread').waitFor();
  });

  test('10 000 todos saved offline arrive once each and in order, and the page does not stutter', async ({
    page,
    devices: { a },
  }) => {
    await page.evaluate(() => {
      const seen: { inserts: Record<string, number>; disorder: string[]; revisions: Record<string, number> } = {
        inserts: {},
        disorder: [],
        revisions: {},
      };
      const longest: number[] = [];
      const { events } = window.demo?.devices.b.sync ?? {};
      const revisionOf = (text: unknown) => Number(String(text).split(' ')[1]);
      events?.on('remoteInsert', ({ recordId, data }) => {
        seen.inserts[recordId] = (seen.inserts[recordId] ?? 0) + 1;
        if (recordId in seen.revisions) seen.disorder.push(recordId);
        seen.revisions[recordId] = revisionOf(data.text);
      });
      events?.on('remoteUpdate', ({ recordId, data }) => {
        if (!(revisionOf(data.text) > (seen.revisions[recordId] ?? Number.POSITIVE_INFINITY)))
          seen.disorder.push(recordId);
        seen.revisions[recordId] = revisionOf(data.text);
      });
      new PerformanceObserver((list) => longest.push(...list.getEntries().map(({ duration }) => duration))).observe({
        type: 'longtask',
      });
      Object.assign(window, { seen, longest });
    });
    await a.setWire(false);

    const { result: timings, busiest, all } = await busiestTask(page, () => saveOfflineAndSend(page));

    await a.card.getByText('10,000 todos, the newest 100 shown').waitFor();
    const { counts, disorder, revisions, rows, longest } = await page.evaluate(async () => {
      const { seen, longest } = window as unknown as {
        seen: { inserts: Record<string, number>; disorder: string[]; revisions: Record<string, number> };
        longest: number[];
      };
      const rows = (await window.demo?.devices.b.sync.collection('todos').getAll()) ?? [];
      return {
        counts: Object.values(seen.inserts),
        disorder: seen.disorder,
        revisions: Object.values(seen.revisions),
        rows: rows.length,
        longest: Math.max(0, ...longest),
      };
    });
    const ms = (time: number) => `${Math.round(time)} ms`;
    console.log(
      `10 000 offline: saved in ${ms(timings.saving)}, sent in ${ms(timings.sending)}; busiest task ${ms(busiest)} of ${ms(all)} of CPU, longest ${longest ? ms(longest) : 'under 50 ms'} by the clock`,
    );
    expect(timings.pending).toBe(10_000);
    expect(counts).toHaveLength(10_000);
    expect(counts.every((count) => count === 1)).toBe(true);
    expect(disorder).toEqual([]);
    expect(revisions.filter((revision) => revision === 3)).toHaveLength(500);
    expect(revisions.filter((revision) => revision === 0)).toHaveLength(9_500);
    expect(rows).toBe(10_000);
    // No task does a great part of the work by itself: on an idle machine that keeps each under 50 ms.
    expect(busiest / all).toBeLessThan(0.03);
  });
});

describe('the server', { timeout: TIMEOUT }, () => {
  test('a port that is taken is replaced by a free one', async ({ demo }) => {
    const second = await startDemo({ port: demo.port, backend: 'websocket' });
    expect(second.port).not.toBe(demo.port);
    expect((await fetch(second.url)).status).toBe(200);
    await second.close();
    await expect(fetch(second.url)).rejects.toThrow();
  });

  test('the same page on Supabase', async () => {
    await runHeadlessCheck({ backend: 'supabase', db: undefined });
  });

  test("the same page on Firestore, with Google's emulator", async () => {
    await runHeadlessCheck({ backend: 'firestore', db: undefined });
  });

  test('the same page on Hasura', async () => {
    await runHeadlessCheck({ backend: 'hasura', db: undefined });
  });

  test("the same page on AppSync's protocol", async () => {
    await runHeadlessCheck({ backend: 'appsync', db: undefined });
  });

  test('an unknown backend is refused with a list of those that are there', async () => {
    await expect(startDemo({ port: 0, backend: 'carrier-pigeon' })).rejects.toThrow(
      'There is no backend "carrier-pigeon" yet. Available: websocket, supabase, firestore, hasura, appsync.',
    );
  });
});
