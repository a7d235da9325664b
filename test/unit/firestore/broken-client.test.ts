import { expect, test } from 'vitest';
import { failure, isBroken, readError, writeRefusal } from '../../../adapters/firestore/errors.js';
import type { Session } from '../../../adapters/firestore/link.js';
import { listen } from '../../../adapters/firestore/live.js';
import { createTables } from '../../../adapters/firestore/table.js';

/** What the SDK throws of everything once its own code has failed: no FirebaseError. */
const broken = (): Error => new Error('FIRESTORE (12.19.0) INTERNAL ASSERTION FAILED: Unexpected state (ID: b815)');

function sessionWith(sdk: object) {
  const dropped: string[] = [];
  const session = {
    sdk,
    db: {},
    lost: new AbortController().signal,
    drop: ({ code }: { code: string }) => dropped.push(code),
  };
  return { session: session as unknown as Session, dropped };
}

test('a client whose own code has failed refuses no edit, and is dropped', () => {
  expect(writeRefusal('Writing', broken())).toBeUndefined();
  expect(writeRefusal('Writing', new TypeError('not a value'))?.code).toBe('PUSH_REJECTED');
  const { session, dropped } = sessionWith({});
  expect(failure(session, 'Reading', broken()).code).toBe('CONNECTION_LOST');
  expect(dropped).toEqual(['CONNECTION_LOST']);
});

test('other failures leave the client alone', () => {
  const { session, dropped } = sessionWith({});
  const denied = Object.assign(new Error('no'), { code: 'permission-denied' });
  const known = readError('Reading', denied);
  expect(failure(session, 'Reading', denied).code).toBe('SUBSCRIBE_REJECTED');
  expect(failure(session, 'Reading', known)).toBe(known);
  expect([isBroken(denied), isBroken('INTERNAL'), dropped]).toEqual([false, false, []]);
});

test('a listener ends, though its client refuses even that', () => {
  const { session } = sessionWith({
    collection: () => ({}),
    query: () => ({}),
    onSnapshot: () => () => {
      throw broken();
    },
  });
  const table = createTables({ collections: {} } as never).get('todos');
  const stop = listen(session, table, [], {} as never, {} as never);
  expect(stop).not.toThrow();
});
