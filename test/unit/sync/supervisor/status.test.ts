import { expect, test } from 'vitest';
import { SyncLayerError } from '../../../../src/base/errors.js';
import type { Context } from '../../../../src/sync/supervisor/context.js';
import { type StatusInput, statusOf, syncPhase } from '../../../../src/sync/supervisor/status.js';

const reason = new SyncLayerError('CONNECTION_LOST', 'gone');
const well: StatusInput = {
  closed: false,
  paused: false,
  online: true,
  realtime: true,
  link: { status: 'connected', since: 0 },
  allLive: true,
  refused: false,
  unsigned: false,
  pending: 0,
  failures: 0,
};

test.each<[string, Partial<StatusInput>, ReturnType<typeof syncPhase>]>([
  ['all is here and nothing waits', {}, 'live'],
  ['an edit waits', { pending: 1 }, 'syncing'],
  ['a collection is catching up', { allLive: false }, 'syncing'],
  ['the first attempt to connect', { link: { status: 'connecting', attempt: 1 } }, 'syncing'],
  ['a later attempt', { link: { status: 'connecting', attempt: 2 } }, 'offline'],
  ['waiting for the next one', { link: { status: 'disconnected', reason, retryAt: 1 } }, 'offline'],
  ['not begun', { link: { status: 'idle' } }, 'offline'],
  ['given up', { link: { status: 'failed', reason } }, 'failed'],
  ['a subscription was refused for good', { refused: true }, 'failed'],
  ['a token is needed', { link: { status: 'needs-auth', reason } }, 'needs-auth'],
  ['a token is needed for polling', { realtime: false, link: { status: 'needs-auth', reason } }, 'needs-auth'],
  ['polling', { realtime: false, link: { status: 'idle' } }, 'polling'],
  ['polling with edits', { realtime: false, link: { status: 'idle' }, pending: 1 }, 'polling'],
  ['polling that fails', { realtime: false, link: { status: 'idle' }, failures: 1 }, 'offline'],
  [
    'a link that is no longer wanted and has failed',
    { realtime: false, link: { status: 'failed', reason } },
    'polling',
  ],
  ['a device without a network', { online: false }, 'offline'],
  ['paused', { paused: true, online: false }, 'paused'],
  ['closed', { closed: true, paused: true }, 'closed'],
])('%s', (_, input, phase) => {
  expect(syncPhase({ ...well, ...input })).toBe(phase);
});

test('the status looks through no list of edits: it is asked for with each of them', () => {
  // Nothing but its size may be asked for.
  const replica = { pending: { size: 9 }, unsigned: new Set(['a']) };
  const context = {
    collections: new Map([['todos', { replica, session: undefined }]]),
    settings: { enableAutoSync: true },
    tokens: { user: null },
    state: { ...well, link: { name: 'connected', since: 0 }, pullFailures: 0 },
  } as unknown as Context;
  expect(statusOf(context)).toEqual({ phase: 'needs-auth', pending: 9 });
});
