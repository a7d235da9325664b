import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SupabasePeer, startSupabasePeer } from './index.js';
import { readEntries, replayFrames } from './replay-frames.js';

let peer: SupabasePeer;

beforeAll(async () => {
  const schema = readFileSync(new URL('fixtures/realtime.sql', import.meta.url), 'utf8');
  peer = await startSupabasePeer({ schema });
});
afterAll(async () => {
  await peer?.close();
});

describe('Realtime: recorded clients get the recorded frames', () => {
  test.each([
    ['join', 'joining, bindings and their ids, protocol 1 and 2, a topic joined twice, nonsense'],
    ['rows', 'inserts, updates, deletes, transactions, with each replica identity'],
    ['types', 'every type of column, odd names, partitions, a column that comes and goes'],
    ['large', 'rows over 1 MB, and unchanged TOASTed columns'],
    ['rls', 'row level security, and tables and columns that a role may not read'],
    ['bad-subscriptions', 'what cannot be subscribed to, and filters'],
    ['keys', 'bad keys at the upgrade'],
    ['tokens', 'bad tokens in a join'],
    ['refresh', 'new tokens on a joined channel'],
    ['broadcast', 'broadcasts from the database, from clients and over HTTP; private channels; replay'],
  ])('%s: %s', async (name) => {
    const entries = readEntries(name);
    const expected = entries.filter(({ dir, kind }) => dir === 's>c' && (kind === 'text' || kind === 'binary')).length;
    const frames = await replayFrames(peer, entries);
    expect(frames.peer).toEqual(frames.real);
    expect(frames.real.length).toBeGreaterThanOrEqual(expected);
  });
});
