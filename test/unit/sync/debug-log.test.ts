import { expect, onTestFinished, test } from 'vitest';
import { createSyncLayer, type LoggerOptions } from '../../../src/index.js';
import { memoryTransport } from '../../../src/testing/index.js';

type Line = readonly [message: string, details: Readonly<Record<string, unknown>> | undefined];

async function open(minLevel: NonNullable<LoggerOptions['minLevel']>) {
  const transport = memoryTransport({ authToken: 'secret-token', deletes: 'none' });
  for (const id of ['1', '2', '3']) transport.backend.write('todos', id, { text: 'secret text' });
  const lines: Line[] = [];
  const waiting = new Map<string, () => void>();
  const customLogger: LoggerOptions['customLogger'] = (_, message, details) => {
    lines.push([message, details]);
    waiting.get(message)?.();
  };
  /** Resolves with the next line of this kind. */
  const next = (message: string): Promise<void> => new Promise((resolve) => waiting.set(message, resolve));
  const sync = await createSyncLayer({
    transport,
    collections: ['todos'],
    authToken: 'secret-token',
    websocketReconnectDelay: 0,
    logger: { minLevel, customLogger },
  });
  onTestFinished(() => sync.close());
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
  const of = (message: string) => lines.flatMap(([said, details]) => (said === message ? [details] : []));
  return { sync, transport, lines, of, next };
}

const ms = expect.any(Number);

test('at debug there is a line for each step, with the collection, counts and the time', async () => {
  const { sync, transport, lines, of, next } = await open('debug');
  const { backend, wire } = transport;
  expect(of('subscribe')).toEqual([{ collection: 'todos', ms }]);
  expect(of('pull')).toContainEqual({ collection: 'todos', pages: 2, rows: 3, ms });

  const todos = sync.collection('todos');
  const pushed = next('push');
  await todos.saveMany([
    { id: 'a', text: 'secret text' },
    { id: 'b', text: 'secret text' },
  ]);
  await pushed;
  expect(of('push')).toContainEqual({ collection: 'todos', edits: 2, applied: 2, ms });

  const seen = sync.events.once('remoteInsert', ({ recordId }) => recordId === 'far');
  backend.write('todos', 'far', { text: 'secret text' });
  await seen;
  expect(of('change')).toContainEqual({ collection: 'todos', insert: 1 });

  await sync.pause();
  backend.write('todos', '1', { text: 'secret text, theirs' });
  await todos.update('1', { text: 'secret text, ours' });
  const decided = sync.events.once('conflictResolved');
  sync.resume();
  await decided;
  expect(of('conflict')).toEqual([{ collection: 'todos', recordId: '1', fields: ['text'], kept: expect.any(String) }]);

  const lost = next('connection: disconnected');
  const audited = next('audit');
  wire.cut();
  await Promise.all([lost, audited]);
  expect(of('connection: disconnected')).toContainEqual({ code: 'CONNECTION_LOST', failures: 1, delay: ms });

  expect(of('audit')).toContainEqual(expect.objectContaining({ collection: 'todos', rows: 6, ms }));
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test('what came in one burst is one line', async () => {
  const { sync, transport, of } = await open('debug');
  const seen = sync.events.once('remoteInsert', ({ recordId }) => recordId === 'row999');
  for (let n = 0; n < 1000; n += 1) transport.backend.write('todos', `row${n}`, { n });
  await seen;
  const counts = of('change').map((details) => Number(details?.insert));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1000);
  expect(counts.length).toBeLessThan(10);
});

test('at info nothing of it is written', async () => {
  const { lines } = await open('info');
  expect(lines).toEqual([]);
});
