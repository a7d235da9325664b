import { expect, test } from 'vitest';
import { indexedDbStore } from '../../../src/store/indexeddb.js';

// All else about this store is tested in a browser: test/browser/indexeddb.test.ts.
test('without IndexedDB it says which store to use instead, and stays closed', async () => {
  const store = indexedDbStore({ name: 'app' });
  await expect(store.open()).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('Use the sqlite store in Node'),
  });
  await expect(store.commit([])).rejects.toMatchObject({ code: 'CLOSED' });
  await store.close();
});
