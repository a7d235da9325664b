import { findChromium, launchChromium } from '../../test/browser/chromium.js';
import { type DevicePage, openDemo } from './drive.js';
import { type DemoOptions, startDemo } from './server.js';

/** How long one step may take, ms. */
const STEP_TIMEOUT = 15_000;

/** Prints how long a step took. */
async function timed(what: string, step: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await step();
  console.log(`  ${what.padEnd(52)} ${Math.round(performance.now() - start)} ms`);
}

async function check(a: DevicePage, b: DevicePage): Promise<void> {
  const { card } = a;
  const page = card.page();
  await timed('added on A, seen on B', async () => {
    await a.add('Headless check');
    await b.todo('Headless check').waitFor();
  });
  await timed('ticked on B, seen on A', async () => {
    await b.checkbox('Headless check').check();
    await card.getByRole('listitem').locator(':checked').waitFor();
  });
  await timed('A cut off, Offline shown', () => a.setWire(false));
  await timed('edited on A, 1 pending', async () => {
    await a.edit('Headless check', 'Edited while cut off');
    await a.pending.filter({ hasText: '1 pending' }).waitFor();
  });
  await timed('A restored, edit seen on B', async () => {
    await a.setWire(true);
    await b.todo('Edited while cut off').waitFor();
  });
  await timed('conflict made, resolved and shown', async () => {
    await page.getByRole('button', { name: 'Make a conflict' }).click();
    await page.getByRole('heading', { name: 'Conflict, resolved on device B' }).waitFor();
    await page.getByText('kept', { exact: true }).waitFor();
  });
}

/** Drives the demo once, as a user would. Throws if there is no Chromium, or a step does not come about. */
export async function runHeadlessCheck(options: Pick<DemoOptions, 'backend' | 'db'>): Promise<void> {
  if (findChromium() === undefined) {
    throw new Error(
      'HEADLESS CHECK NOT RUN: no Chromium found. Install one (apt-get install chromium), or set CHROME_PATH.',
    );
  }
  const start = performance.now();
  const demo = await startDemo({ ...options, port: 0 });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(STEP_TIMEOUT);
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    const { a, b } = await openDemo(page, demo.url);
    console.log(`  ${'started, both devices live'.padEnd(52)} ${Math.round(performance.now() - start)} ms`);
    await check(a, b);
    if (problems.length > 0) throw new Error(`The page had errors: ${problems.join('; ')}`);
  } finally {
    await browser.close();
    await demo.close();
  }
  console.log(`demo ok (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}
