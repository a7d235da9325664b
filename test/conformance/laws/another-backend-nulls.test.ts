import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import { ConflictResolvers } from '../../../src/index.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
import type { MemoryBackend } from '../../../src/testing/index.js';
import type { OutgoingChange } from '../../../src/transport/transport.js';
import { backendWith, type Client, type OpenOptions, openLive, record, temporaryPath, until } from './harness.js';

/*
 * A column makes null of a field that is missing, a document need not have the field. Between two backends that is nobody's
 * change; at one and the same it is.
 */

const at = (path: string, source: string, backend: MemoryBackend, more: OpenOptions = {}): OpenOptions => ({
  ...more,
  backend,
  config: { store: sqliteStore({ path }), ...more.config },
  wrap: (transport) => ({ ...transport, source }),
});

const synced = ({ sync }: Client): Promise<void> => until(() => sync.status.pending === 0);

/** After every edit of the test, as far as last-write-wins can see. */
const later = () => ({ time: Date.now() + 60_000 });

function writtenLater(row: Row): MemoryBackend {
  const backend = backendWith({});
  backend.write('todos', 'a', row, later());
  return backend;
}

/** Rows as one of two backends has them, with and without the field. */
const forms: readonly (readonly [string, from: Row, to: Row])[] = [
  ['missing, then null', { n: 1 }, { n: 1, note: null }],
  ['null, then missing', { n: 1, note: null }, { n: 1 }],
];

/** Edits `a` while it has no backend, then opens another one, whose row of it is younger than the edit. */
async function moveOffline(
  from: Row,
  to: Row,
  edit: (todos: Client['todos']) => Promise<unknown>,
  more: OpenOptions = {},
) {
  const path = temporaryPath();
  const first = await openLive(at(path, 'A', backendWith({ a: from }), more));
  await first.sync.pause();
  await edit(first.todos);
  await first.sync.close();
  const backend = writtenLater(to);
  const pushed: OutgoingChange[] = [];
  const second = await openLive(
    at(path, 'B', backend, {
      ...more,
      wire: (wire) => {
        wire.before = (step, detail) => void (step === 'push' && pushed.push(...(detail as OutgoingChange[])));
      },
    }),
  );
  await synced(second);
  return { pushed, row: backend.get('todos', 'a')?.data };
}

for (const [form, from, to] of forms)
  describe(form, () => {
    test('a delete is no conflict, and is done', async () => {
      const { pushed, row } = await moveOffline(from, to, (todos) => todos.delete('a'));
      expect([pushed.map(({ type }) => type), row]).toEqual([['delete'], null]);
    });

    test('an edit of that field is no conflict', async () => {
      const { pushed, row } = await moveOffline(from, to, (todos) => todos.update('a', { note: 'mine' }));
      expect(pushed.map(({ patch }) => patch)).toEqual([{ note: 'mine' }]);
      expect(row).toEqual({ id: 'a', n: 1, note: 'mine' });
    });

    test('an edit of another field leaves it as it is', async () => {
      const { pushed, row } = await moveOffline(from, to, (todos) => todos.update('a', { n: 2 }));
      expect(pushed).toMatchObject([{ patch: { n: 2 } }]);
      expect(pushed[0]?.unset ?? []).toEqual([]);
      expect(row).toEqual({ id: 'a', ...to, n: 2 });
    });

    test('an edit that was brought along is not made twice, not even where each counts', async () => {
      const path = temporaryPath();
      const config = {
        conflictStrategy: 'custom',
        customConflictResolver: ConflictResolvers.sumNumbers(['n']),
      } as const;
      const a = backendWith({ a: from });
      const first = await openLive(
        at(path, 'A', a, {
          config: { ...config, store: sqliteStore({ path }) },
          idempotent: true,
          wire: (wire) => {
            wire.loseAnswers = true;
            wire.deliver = false;
          },
        }),
      );
      await first.todos.update('a', { n: 2 });
      await until(() => a.get('todos', 'a')?.data?.n === 2);
      await first.sync.close();
      const b = writtenLater({ ...to, n: 2 });
      const second = await openLive(
        at(path, 'B', b, { config: { ...config, store: sqliteStore({ path }) }, idempotent: true }),
      );
      await synced(second);
      expect(second.wire.calls.push).toBe(0);
      expect(b.get('todos', 'a')?.data).toEqual({ id: 'a', ...to, n: 2 });
    });
  });

test('what the edit itself changed from missing to null is kept', async () => {
  const { row } = await moveOffline({ n: 1 }, { n: 1 }, (todos) => todos.update('a', { note: null }));
  expect(row).toEqual({ id: 'a', n: 1, note: null });
});

test('a field that got a value is a change', async () => {
  const { row } = await moveOffline({ n: 1 }, { n: 1, note: 'theirs' }, (todos) => todos.delete('a'));
  expect(row).toEqual({ id: 'a', n: 1, note: 'theirs' });
});

test('at one and the same backend null is another value than none', async () => {
  const client = await openLive({ backend: backendWith({ a: { n: 1 } }) });
  await client.sync.pause();
  const conflicts = record(client.sync, 'conflictDetected');
  await client.todos.delete('a');
  client.backend.write('todos', 'a', { n: 1, note: null }, later());
  client.sync.resume();
  await synced(client);
  expect(conflicts).toHaveLength(1);
});
