import { expect, onTestFinished, test } from 'vitest';
import { moveThereAndBack } from './move.js';
import { firestorePlace, supabasePlace } from './places.js';

test('clients that go on writing move from Supabase to Firestore and back; the command is killed twice, Postgres crashes', {
  timeout: 400_000,
}, async () => {
  const [from, to] = [await supabasePlace(), await firestorePlace()];
  onTestFinished(async () => {
    await from.close();
    await to.close();
  });
  const moved = await moveThereAndBack({ from, to, rows: 200, clients: 2, pace: 100, rate: 150, log: console.log });
  expect(moved).toMatchObject({
    there: { outcome: 'equal', phase: 'to', move: { done: true } },
    back: { outcome: 'equal', phase: 'from', move: { done: true } },
    lost: { there: [], back: [] },
    unequal: [],
    refused: [],
  });
  expect(moved.acknowledged).toBeGreaterThan(20);
});
