import { expect, onTestFinished, test } from 'vitest';
import { moveThereAndBack } from '../migrate/move.js';
import {
  appsyncPlace,
  firestorePlace,
  hasuraPlace,
  type Place,
  supabasePlace,
  websocketPlace,
} from '../migrate/places.js';

async function moves(from: Place, to: Place, rows: number): Promise<void> {
  onTestFinished(async () => {
    await from.close();
    await to.close();
  });
  const moved = await moveThereAndBack({
    from,
    to,
    rows,
    clients: 2,
    pace: { from: 100, to: 100 },
    rate: 150,
    log: console.log,
  });
  expect(moved).toMatchObject({
    there: { outcome: 'equal', phase: 'to', move: { done: true } },
    back: { outcome: 'equal', phase: 'from', move: { done: true } },
    lost: { there: [], back: [] },
    unequal: [],
    refused: [],
  });
  expect(moved.acknowledged).toBeGreaterThan(20);
}

// Clients go on writing all the time. The command is killed twice on the way there, and the old backend crashes once.
test('from Supabase to Firestore and back', { timeout: 600_000 }, async () => {
  await moves(await supabasePlace(), await firestorePlace(), 200);
});

test('from a WebSocket server to Supabase and back', { timeout: 600_000 }, async () => {
  await moves(await websocketPlace(), await supabasePlace(), 300);
});

test('from Firestore to Hasura and back', { timeout: 600_000 }, async () => {
  await moves(await firestorePlace({ restarts: true }), await hasuraPlace(), 150);
});

test('from AppSync to a WebSocket server and back', { timeout: 600_000 }, async () => {
  await moves(await appsyncPlace(), await websocketPlace(), 150);
});
