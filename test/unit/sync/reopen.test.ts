import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createSyncLayer, type LocalStore, memoryStore } from '../../../src/index.js';
import { openWhenFree } from '../../../src/store/when-free.js';
import { memoryTransport } from '../../../src/testing/index.js';

function sqlite() {
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-reopen-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { type: 'sqlite', path: join(folder, 'app.db') } as const;
}

test.each([
  ['a file', sqlite],
  ['one object', memoryStore],
])('an instance that is closed as soon as it is open gives its store to the next: %s', async (_, make) => {
  const store = make();
  const create = () => createSyncLayer({ transport: memoryTransport(), collections: ['todos'], store });
  const first = create();
  const closed = first.then((sync) => sync.close());
  const second = await create();
  await closed;
  await second.collection('todos').save({ n: 1 }, 'a');
  await second.close();
});

test('a store that stays in use is waited for for 5 s', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const store: LocalStore = memoryStore();
  await store.open();
  let tries = 0;
  const opening = openWhenFree({
    ...store,
    open: () => {
      tries += 1;
      return store.open();
    },
  });
  const failed = expect(opening).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining('is open'),
  });
  await vi.advanceTimersByTimeAsync(5000);
  await failed;
  expect(tries).toBe(100);
});

test('a store does not wait for a transport that takes long to close', async () => {
  const store = sqlite();
  let release = (): void => undefined;
  const closable = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = { ...memoryTransport(), close: () => closable };
  const first = await createSyncLayer({ transport: slow, collections: ['todos'], store });
  const closing = first.close();
  const second = await createSyncLayer({ transport: memoryTransport(), collections: ['todos'], store });
  release();
  await closing;
  await second.close();
});
