import { describe, expect, onTestFinished, test, vi } from 'vitest';
import * as z from 'zod';
import type { Row } from '../../../src/base/change.js';
import { SyncLayerError } from '../../../src/base/errors.js';
import { sqliteStore } from '../../../src/store/sqlite.js';
import type { PushResult } from '../../../src/transport/transport.js';
import {
  backendRows,
  backendWith,
  caughtUpAfter,
  change,
  live,
  open,
  openLive,
  record,
  rowsOf,
  settle,
  temporaryPath,
  until,
} from './harness.js';

const Todo = z.object({ id: z.string().optional(), text: z.string(), n: z.number().default(0) });
const withSchema = { collections: { todos: { schema: Todo } } };
const evil = JSON.parse('{"__proto__": {"admin": true}, "n": 1}') as Row;
const deep = (levels: number): unknown => (levels === 0 ? 0 : { in: deep(levels - 1) });

/** Rows that a backend could send and that must not be stored. */
const bad: readonly [string, unknown][] = [
  ['a field named __proto__', evil],
  ['a nested field named __proto__', { nested: [evil] }],
  ['a Date', { at: new Date(0) }],
  ['NaN', { n: Number.NaN }],
  ['a bigint', { n: 1n }],
  ['a function', { n: () => 1 }],
  ['a Map', { n: new Map() }],
  ['more levels than a stack takes', deep(5000)],
  ['no object', 'text'],
  ['null', null],
  ['nothing', undefined],
  ['a list', [1]],
];

describe('law 13: bad rows from the backend are errors, and the rest goes on', () => {
  test.each(bad)('%s, live', async (_, data) => {
    const client = await openLive();
    const errors = record(client.sync, 'error');
    client.wire.inject(change('insert', 'before', 1, { data: { n: 1 } }));
    client.wire.inject(change('insert', 'bad', 1, { data }));
    client.wire.inject(change('insert', 'after', 1, { data: { n: 1 } }));
    await settle();
    expect(Object.keys(await rowsOf(client))).toEqual(['before', 'after']);
    expect(errors).toMatchObject([{ event: { collection: 'todos', error: { code: 'VALIDATION_FAILED' } } }]);
    expect(client.sync.metrics().changes.invalid).toBe(1);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('a text of which the schema makes a Date', async () => {
    const schema = z.object({ id: z.string(), at: z.coerce.date() });
    const client = await openLive({ config: { collections: { todos: { schema } } } });
    const errors = record(client.sync, 'error');
    client.wire.inject(change('insert', 'bad', 1, { data: { at: '2026-01-02' } }));
    await settle();
    expect(await rowsOf(client)).toEqual({});
    expect(errors).toMatchObject([{ event: { error: { code: 'VALIDATION_FAILED' } } }]);
  });

  test('a time that is none is left out', async () => {
    const path = temporaryPath();
    const client = await openLive({ config: { store: sqliteStore({ path }) } });
    client.wire.inject(change('insert', 'a', 1, { data: { n: 1 }, timestamp: Number.NaN }));
    await settle();
    await client.sync.close();
    const again = await openLive({ config: { store: sqliteStore({ path }) } });
    expect(await rowsOf(again)).toMatchObject({ a: { n: 1 } });
  });

  test.each(bad)('%s, in a pulled page: its neighbours and the cursor go to disk', async (_, data) => {
    const path = temporaryPath();
    const wrap: NonNullable<Parameters<typeof open>[0]>['wrap'] = (transport) => ({
      ...transport,
      async pull(request) {
        const page = await transport.pull(request);
        return {
          ...page,
          changes: page.changes.map((one) => (one.recordId === 'bad' ? ({ ...one, data } as typeof one) : one)),
        };
      },
    });
    const first = await openLive({
      backend: backendWith({ before: { n: 1 }, bad: { n: 1 }, after: { n: 1 } }),
      config: { store: sqliteStore({ path }) },
      wrap,
    });
    expect(Object.keys(await rowsOf(first))).toEqual(['before', 'after']);
    expect(first.sync.metrics().errors).toEqual({ VALIDATION_FAILED: 1 });
    await first.sync.close();
    const second = await openLive({ backend: first.backend, config: { store: sqliteStore({ path }) }, wrap });
    expect(Object.keys(await rowsOf(second)).sort()).toEqual(['after', 'before']);
    expect(second.sync.metrics().errors, 'it is not read again').toEqual({});
  });

  test('a row that breaks the schema: the good one before it stays', async () => {
    const client = await openLive({ config: withSchema, backend: backendWith({ a: { text: 'good' } }) });
    const errors = record(client.sync, 'error');
    client.backend.write('todos', 'a', { text: 1 });
    client.backend.write('todos', 'b', { text: 'also good' });
    await settle();
    expect(await rowsOf(client)).toEqual({
      a: { id: 'a', text: 'good', n: 0 },
      b: { id: 'b', text: 'also good', n: 0 },
    });
    expect(errors).toMatchObject([{ event: { error: { code: 'VALIDATION_FAILED' } } }]);
    client.backend.write('todos', 'a', { text: 'good again' });
    await settle();
    expect((await rowsOf(client)).a).toEqual({ id: 'a', text: 'good again', n: 0 });
  });

  test('a schema that throws is a row that breaks it', async () => {
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => {
          if ((value as Row).n === 2) throw new TypeError('a bug in the schema');
          return { value };
        },
      },
    };
    const client = await openLive({ config: { collections: { todos: { schema } } } });
    for (const n of [1, 2, 3]) client.backend.write('todos', `row ${n}`, { n });
    await settle();
    expect(Object.keys(await rowsOf(client))).toEqual(['row 1', 'row 3']);
    expect(client.sync.metrics().changes.invalid).toBe(1);
  });

  test.each([
    ['no recordId', { recordId: undefined }],
    ['a version that is no version', { version: Number.NaN }],
    ['a version that JSON cannot carry', { version: 1n }],
    ['no version', { version: undefined }],
  ])('a change with %s', async (_, wrong) => {
    const client = await openLive();
    client.wire.inject({ ...change('insert', 'bad', 1, { data: { n: 1 } }), ...wrong } as never);
    client.wire.inject(change('insert', 'good', 1, { data: { n: 1 } }));
    await settle();
    expect(Object.keys(await rowsOf(client))).toEqual(['good']);
    expect(client.sync.metrics().errors).toEqual({ PROTOCOL_VIOLATION: 1 });
  });

  test('in the way of an edit: the edit is kept aside, not lost and not pushed over it', async () => {
    const client = await openLive({
      config: withSchema,
      backend: backendWith({ a: { text: 'base' } }),
      wire: (wire) => Object.assign(wire, { deliver: false }),
    });
    client.backend.write('todos', 'a', { text: 1 });
    await client.todos.update('a', { text: 'mine' });
    await until(() => client.sync.status.pending === 0);
    expect(client.sync.outbox.failed()).toMatchObject([
      { recordId: 'a', data: { text: 'mine' }, error: { code: 'VALIDATION_FAILED' } },
    ]);
    expect(backendRows(client)).toEqual({ a: { id: 'a', text: 1 } });
  });

  test('as what the backend made of a write: what was written is kept', async () => {
    const client = await openLive({
      config: withSchema,
      wire: (wire) => Object.assign(wire, { deliver: false }),
      wrap: (transport) => ({
        ...transport,
        push: async (changes, options) =>
          (await transport.push(changes, options)).map((result) => ({ ...result, data: { text: 1 } }) as PushResult),
      }),
    });
    await client.todos.save({ text: 'mine' }, 'a');
    await until(() => client.sync.status.pending === 0);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', text: 'mine', n: 0 } });
    expect(client.sync.metrics().changes.invalid).toBe(1);
  });

  test('a row without an id, or with another one, gets the id of its record', async () => {
    const client = await openLive();
    client.wire.inject(change('insert', 'a', 1, { data: { n: 1 } }));
    client.wire.inject(change('insert', 'b', 1, { data: { id: 7, n: 1 } }));
    await settle();
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 1 }, b: { id: 'b', n: 1 } });
  });
});

describe('law 13: bad rows of the app are refused', () => {
  test('a row that breaks the schema: nothing is stored, nothing is sent', async () => {
    const client = await openLive({ config: withSchema });
    await expect(client.todos.save({ text: 1 } as never)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await expect(client.todos.saveMany([{ text: 'good' }, { text: 1 } as never])).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    await settle();
    expect(await rowsOf(client)).toEqual({});
    expect(client.wire.calls.push).toBe(0);
    expect(client.sync.status.pending).toBe(0);
  });

  test.each(bad)('%s', async (_, data) => {
    const client = await openLive();
    await expect(client.todos.save(data as never, 'a')).rejects.toBeInstanceOf(Error);
    await settle();
    expect(await rowsOf(client)).toEqual({});
    expect(client.sync.status.pending).toBe(0);
    await client.todos.save({ n: 1 }, 'b');
    await until(() => client.sync.status.pending === 0);
    expect(Object.keys(backendRows(client))).toEqual(['b']);
  });
});

describe('law 13: a transport that does wrong', () => {
  test.each([
    ['too few results', (results: PushResult[]) => results.slice(1)],
    ['no result', () => []],
    ['too many results', (results: PushResult[]) => [...results, ...results]],
    ['nothing at all', () => undefined as never],
  ])('%s of a push: the same push comes again', async (_, spoil) => {
    let spoilt = 0;
    const client = await openLive({
      wire: (wire) => Object.assign(wire, { deliver: false }),
      wrap: (transport) => ({
        ...transport,
        push: async (changes, options) => {
          const results = await transport.push(changes, options);
          return spoilt++ < 2 ? spoil(results) : results;
        },
      }),
    });
    await client.todos.saveMany([{ n: 1 }, { n: 2 }]);
    await until(() => client.sync.status.pending === 0);
    expect(spoilt).toBe(3);
    expect(client.backend.seq, 'applied once').toBe(2);
    expect(client.sync.outbox.failed()).toEqual([]);
  });

  test.each(['pull', 'push', 'fetch', 'keys', 'connect'] as const)('%s throws a string', async (method) => {
    let failures = 2;
    const client = await open({
      backend: backendWith({ a: { n: 1, text: 'x' }, b: { n: 1 } }),
      deletes: 'none',
      wire: (wire) => {
        wire.before = (step) => {
          // A transport may be plain JavaScript.
          if (step === method && failures-- > 0) return Promise.reject('boom');
          return undefined;
        };
      },
    });
    const errors = record(client.sync, 'error');
    await client.todos.save({ n: 1 }, 'mine');
    await until(() => client.sync.status.phase === 'live');
    client.wire.partialFields = ['n'];
    client.backend.write('todos', 'a', { n: 2, text: 'y' });
    await settle();
    await caughtUpAfter(client, () => client.wire.gap());
    await until(() => client.sync.status.phase === 'live');
    expect(failures).toBeLessThan(2);
    expect(await rowsOf(client)).toEqual(backendRows(client));
    for (const { event } of errors) expect((event as { error: unknown }).error).toBeInstanceOf(SyncLayerError);
  });

  test('sink.error with a string ends the subscription, which is made anew', async () => {
    const client = await openLive();
    await caughtUpAfter(client, () => client.wire.cut('boom' as never));
    expect(client.wire.calls.subscribe).toBe(2);
    expect(client.sync.metrics().errors).toEqual({ PROTOCOL_VIOLATION: 1 });
  });

  test('rejections with no reason', async () => {
    let failures = 1;
    const client = await openLive({
      backend: backendWith({ a: { n: 1 } }),
      wire: (wire) => {
        wire.before = (step) => (step === 'pull' && failures-- > 0 ? Promise.reject() : undefined);
      },
    });
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });
});

describe('law 13: callbacks that throw', () => {
  test('a listener and a watcher that throw harm nobody else; the error surfaces as an uncaught one', async () => {
    const uncaught: unknown[] = [];
    // What surfaces is thrown in a microtask of its own.
    const spy = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => {
      void Promise.resolve()
        .then(task)
        .catch((error: unknown) => uncaught.push(error));
    });
    onTestFinished(() => spy.mockRestore());
    const client = await openLive();
    const heard: string[] = [];
    const bug = new Error('a bug in the app');
    client.sync.events.on('remoteInsert', () => {
      throw bug;
    });
    client.sync.events.on('remoteInsert', ({ recordId }) => heard.push(recordId));
    client.todos.watch(() => {
      throw bug;
    });
    const shown: number[] = [];
    client.todos.watch((rows) => void shown.push(rows.length));
    client.backend.write('todos', 'a', { n: 1 });
    client.backend.write('todos', 'b', { n: 1 });
    await settle();
    expect(heard).toEqual(['a', 'b']);
    expect(shown.at(-1)).toBe(2);
    expect(new Set(uncaught)).toEqual(new Set([bug]));
    await client.todos.save({ n: 1 }, 'c');
    await until(() => client.sync.status.pending === 0);
    expect(await rowsOf(client)).toEqual(backendRows(client));
  });

  test('what is handed out cannot change what is stored', async () => {
    const client = await openLive({ backend: backendWith({ a: { n: 1, tags: ['x'] } }) });
    const attempts: unknown[] = [];
    const spoil = (row: unknown): void => {
      try {
        const { tags } = row as { tags: string[] };
        Object.assign(row as object, { n: 'spoilt' });
        tags.push('spoilt');
      } catch (error) {
        attempts.push(error);
      }
    };
    client.sync.events.on('remoteUpdate', ({ data }) => spoil(data));
    client.sync.events.on('conflictDetected', ({ conflict }) =>
      [conflict.local, conflict.remote, conflict.base].forEach(spoil),
    );
    client.backend.write('todos', 'a', { n: 2, tags: ['y'] });
    await settle();
    await client.sync.pause();
    await client.todos.update('a', { n: 3 });
    for (const { data, base } of client.sync.outbox.pending()) [data, base].forEach(spoil);
    client.backend.write('todos', 'a', { n: 4, tags: ['y'] }, { time: 0 });
    client.sync.resume();
    await live(client);
    expect(await rowsOf(client)).toEqual({ a: { id: 'a', n: 3, tags: ['y'] } });
    expect(backendRows(client)).toEqual(await rowsOf(client));
    expect(attempts.length).toBe(6);
  });
});
