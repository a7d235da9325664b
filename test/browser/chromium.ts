import { existsSync, globSync } from 'node:fs';
import { homedir } from 'node:os';
import { type Browser, chromium } from 'playwright-core';

const installed = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

const caches = [
  process.env.PLAYWRIGHT_BROWSERS_PATH,
  `${homedir()}/.cache/ms-playwright`,
  `${homedir()}/Library/Caches/ms-playwright`,
];

const executables = [
  'chrome-linux*/chrome',
  'chrome-headless-shell-*/chrome-headless-shell',
  'chrome-mac*/*.app/Contents/MacOS/*',
];

/** The newest Chromium that Playwright downloaded earlier. The folder's number is Playwright's build, so it sorts by age. */
function playwrightChromium(): string | undefined {
  const build = (path: string): number => Number(/chromium(?:_headless_shell)?-(\d+)/.exec(path)?.[1] ?? 0);
  return caches
    .filter((cache) => cache !== undefined && cache !== '')
    .flatMap((cwd) => executables.flatMap((name) => globSync(`${cwd}/chromium*-*/${name}`)))
    .sort((a, b) => build(b) - build(a))[0];
}

/** The path of a Chromium on this machine: `CHROME_PATH`, one that is installed, or one of Playwright's. */
export function findChromium(): string | undefined {
  const chosen = process.env.CHROME_PATH;
  if (chosen !== undefined && chosen !== '') {
    if (!existsSync(chosen)) throw new Error(`CHROME_PATH is ${chosen}, and no file is there. Correct it or unset it.`);
    return chosen;
  }
  return installed.find((path) => existsSync(path)) ?? playwrightChromium();
}

/** Starts a headless Chromium with a fresh profile. Close it with `browser.close()`. */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined)
    throw new Error('No Chromium found. Install one (apt-get install chromium), or set CHROME_PATH to its executable.');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
