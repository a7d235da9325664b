/** `npm start`: see USAGE. */
import { parseArgs } from 'node:util';
import { backends } from './backends.js';
import { startDemo } from './server.js';

const USAGE = `SyncLayer demo: two devices in one page, a backend, and wires that can be cut.

  npm start -- [options]

  --port N             where the page is; default 4100, or a free port if that is taken
  --db FILE            keeps the data of the websocket backend in this file; default: a temporary one
  --backend NAME       one of: ${Object.keys(backends).join(', ')}; default websocket
  --headless-check     drives the page in a headless Chromium once, and exits
  --help
`;

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '4100' },
      db: { type: 'string' },
      backend: { type: 'string', default: 'websocket' },
      'headless-check': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const { db, backend } = values;
  if (values['headless-check']) {
    // Only here: it loads Playwright.
    const { runHeadlessCheck } = await import('./headless-check.js');
    await runHeadlessCheck({ backend, db });
    return;
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port must be a number from 0 to 65535; got "${values.port}".`);
  const demo = await startDemo({ port, backend, db });
  if (port !== 0 && demo.port !== port) console.log(`Port ${port} is taken; using ${demo.port}.`);
  console.log(`SyncLayer demo on ${demo.url}  (backend: ${backend}; Ctrl+C ends it)`);
  const stop = () => void demo.close().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
