/**
 * What a migration keeps in memory, at 20 000 and at 200 000 rows, between two WebSocket servers in processes of their own. Run with
 * `npx tsx bench/migrate/memory.ts [rows ...]`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { websocketTransport } from '../../adapters/websocket/index.js';
import { createPeerProcess } from '../../src/testing/index.js';

const serverFile = fileURLToPath(new URL('../../test/peers/websocket/server-process.ts', import.meta.url));
const childFile = fileURLToPath(new URL('memory-child.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'synclayer-memory-'));

const server = async (name: string) => {
  const process_ = await createPeerProcess({
    command: process.execPath,
    args: (port) => ['--import', 'tsx', serverFile, join(folder, `${name}.db`), String(port)],
    ready: /^ws:.*:(\d+)\/ws$/m,
  });
  return { ...process_, url: `ws://127.0.0.1:${process_.port}/ws` };
};

async function fill(url: string, count: number): Promise<void> {
  const transport = websocketTransport({ url });
  const { signal } = new AbortController();
  await transport.connect({ signal });
  for (let from = 0; from < count; from += 1000) {
    const changes = Array.from({ length: Math.min(1000, count - from) }, (_, index) => ({
      type: 'insert' as const,
      collection: 'todos',
      recordId: `row${from + index}`,
      opId: `seed${from + index}`,
      data: {
        text: `Row ${from + index} ${'x'.repeat(200)}`,
        done: index % 2 === 0,
        tags: ['a', 'b'],
        n: from + index,
      },
      base: null,
      baseVersion: null,
      timestamp: Date.now(),
    }));
    await transport.push(changes, { signal });
  }
  await transport.close();
}

const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [20_000, 200_000];
try {
  for (const rows of sizes) {
    const [a, b] = [await server(`a${rows}`), await server(`b${rows}`)];
    await fill(a.url, rows);
    const child = spawn(
      process.execPath,
      ['--expose-gc', '--import', 'tsx', childFile, a.url, b.url, join(folder, `${rows}.db`)],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    await once(child, 'close');
    await a.close();
    await b.close();
  }
} finally {
  rmSync(folder, { recursive: true });
}
