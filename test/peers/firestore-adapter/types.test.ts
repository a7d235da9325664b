import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import type { FieldType } from '../../../adapters/firestore/normalize.js';
import { createSyncLayer } from '../../../src/index.js';
import type { Value } from '../firestore/hand.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';

// An emulator that has just started is slow at first, and more so on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

const root = 'projects/types/databases/(default)/documents';
const stored: Readonly<Record<string, Value>> = {
  time: { timestampValue: '2026-01-02T03:04:05.123456Z' },
  early: { timestampValue: '0001-01-01T00:00:00Z' },
  place: { geoPointValue: { latitude: 59.9, longitude: -10.75 } },
  bytes: { bytesValue: 'AQL/' },
  reference: { referenceValue: `${root}/users/u1` },
  vector: {
    mapValue: {
      fields: {
        __type__: { stringValue: '__vector__' },
        value: { arrayValue: { values: [{ doubleValue: 1 }, { doubleValue: 0.5 }] } },
      },
    },
  },
  nan: { doubleValue: 'NaN' },
  infinite: { doubleValue: '-Infinity' },
  nothing: { nullValue: null },
  deep: {
    mapValue: {
      fields: { list: { arrayValue: { values: [{ timestampValue: '2026-01-02T03:04:05Z' }, { nullValue: null }] } } },
    },
  },
  lookalike: { mapValue: { fields: { type: { stringValue: 'firestore/double/1.0' }, value: { stringValue: 'NaN' } } } },
  text: { stringValue: '2026-01-02T03:04:05Z' },
};

const declared: Record<string, FieldType> = {
  time: 'timestamp',
  text: 'timestamp',
  place: 'geoPoint',
  bytes: 'bytes',
  reference: 'reference',
  vector: 'vector',
};

test.each([
  ['without declared types', {}],
  ['with declared types', declared],
])(
  'a document of every type leaves Firestore, is saved by the app as another one, and is the same, %s',
  async (name, types) => {
    const hand = emulator.project('types');
    const path = `all-${Object.keys(types).length}`;
    await hand.write(`${path}/from`, {}, {}, stored);
    const sync = await createSyncLayer({
      transport: firestoreTransport({
        config: { projectId: 'types' },
        emulator: `${emulator.host}:${emulator.port}`,
        collections: { all: { table: path, fields: types } },
      }),
      collections: ['all'],
    });
    onTestFinished(() => sync.close());
    await sync.syncNow();
    const all = sync.collection('all');
    const row = await all.get('from');
    expect(row).toMatchObject({ id: 'from', nothing: null });
    if (name === 'with declared types')
      expect(row).toMatchObject({ time: '2026-01-02T03:04:05.123456Z', reference: 'users/u1', vector: [1, 0.5] });
    const { id: _, ...fields } = row ?? {};
    await all.save(fields, 'to');
    await sync.syncNow();
    const documents = await hand.list(path);
    const [from, to] = ['from', 'to'].map((id) => {
      const { updatedAt: _at, ...rest } = documents.find(({ name: full }) => full.endsWith(`/${id}`))?.fields ?? {};
      return rest;
    });
    expect(Object.keys(from ?? {}).sort()).toEqual(Object.keys(stored).sort());
    expect(to).toEqual(from);
  },
);
