import { deleteApp, initializeApp } from 'firebase/app';
import {
  connectFirestoreEmulator,
  doc,
  getDocFromServer,
  getFirestore,
  onSnapshot,
  serverTimestamp,
  setDoc,
} from 'firebase/firestore';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { firestoreTransport } from '../../../adapters/firestore/index.js';
import { createSyncLayer } from '../../../src/index.js';
import { type Emulator, startEmulator } from '../firestore/start-emulator.js';

// An emulator that has just started is slow at first, and more so on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator();
});
afterAll(() => emulator?.close());

test("the app's own Firestore: its writes are told once, when the server has them, and close leaves it alone", async () => {
  const app = initializeApp({ projectId: 'own' }, 'own');
  onTestFinished(() => deleteApp(app));
  const firestore = getFirestore(app);
  connectFirestoreEmulator(firestore, emulator.host, emulator.port);
  const heard: unknown[] = [];
  const stop = onSnapshot(doc(firestore, 'other/b'), (snapshot) => void heard.push(snapshot.data()?.text));
  const sync = await createSyncLayer({
    transport: firestoreTransport({ firestore }),
    collections: ['todos'],
    syncInterval: 3_600_000,
  });
  const told: string[] = [];
  for (const type of ['Insert', 'Update', 'Delete'] as const)
    sync.events.on(`realtime${type}`, ({ recordId }) => void told.push(`${type} ${recordId}`));
  if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');

  const hand = emulator.project('own');
  for (const text of ['one', 'two']) await setDoc(doc(firestore, 'todos/a'), { text, updatedAt: serverTimestamp() });
  // After somebody else's change, all of the above has passed.
  const last = sync.events.once('realtimeInsert', ({ recordId }) => recordId === 'end');
  await hand.write('todos/end', {});
  await last;
  expect(told).toEqual(['Insert a', 'Update a', 'Insert end']);
  expect(await sync.collection('todos').get('a')).toEqual({ id: 'a', text: 'two' });

  await sync.close();
  await hand.write('other/b', { text: 'still heard' });
  await expect.poll(() => heard).toContain('still heard');
  expect((await getDocFromServer(doc(firestore, 'todos/a'))).data()?.text).toBe('two');
  stop();
  expect(told).toHaveLength(3);
});
