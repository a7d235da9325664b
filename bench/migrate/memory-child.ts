/** Migrates between two servers, and says what it took. */
import { websocketTransport } from '../../adapters/websocket/index.js';
import { migrate } from '../../src/migrate/index.js';

const [, , from = '', to = '', stateFile = ''] = process.argv;
let most = 0;
let pages = 0;
const report = await migrate({
  from: { transport: websocketTransport({ url: from }) },
  to: { transport: websocketTransport({ url: to }) },
  collections: ['todos'],
  stateFile,
  onEvent(event) {
    if (event.type !== 'progress' || ++pages % 5 !== 0) return;
    globalThis.gc?.();
    most = Math.max(most, process.memoryUsage().heapUsed);
  },
});
const MB = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const rows = report.verification?.collections[0]?.rows.to;
console.log(
  `${rows} rows, equal: ${report.done}, ${(report.took / 1000).toFixed(1)} s, heap at most ${MB(most)}, memory of the process at most ${MB(process.resourceUsage().maxRSS * 1024)}`,
);
