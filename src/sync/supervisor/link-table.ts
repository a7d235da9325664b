/**
 * Where the link stands.
 * - `renewing`: as `needs-auth`, and an attempt with another token is under way.
 * - `polling-refused`: no link is wanted, and what is read without one was refused.
 */
export type LinkName =
  | 'off'
  | 'connecting'
  | 'connected'
  | 'backing-off'
  | 'needs-auth'
  | 'renewing'
  | 'polling-refused'
  | 'failed'
  | 'closed';

/**
 * What happens to it.
 * - `want`: a link is wanted at once. `wake`: something changed for the better. `drop`: no link is wanted for now.
 * - `opened`: the attempt succeeded. `lost`: the attempt failed, the link was lost, or a token was refused.
 * - `due`: the wait is over. `renew`: another token may be had. `settled`: all that it is for works, with a link or by polling.
 */
export type LinkEvent = 'want' | 'wake' | 'drop' | 'opened' | 'lost' | 'due' | 'renew' | 'settled' | 'close';

/** What the link does about it: see `link-actions.ts`. */
export type LinkAction =
  | 'stay'
  | 'connect'
  | 'retry'
  | 'renew'
  | 'renewAgain'
  | 'renewIfWanted'
  | 'renewOrPoll'
  | 'poll'
  | 'pollAgain'
  | 'arrive'
  | 'catchUp'
  | 'fail'
  | 'refuse'
  | 'reset'
  | 'leave'
  | 'rest'
  | 'end';

const stay = 'stay';

/** Every state meets every event: the compiler demands each cell. */
export const linkTable: { readonly [State in LinkName]: { readonly [Event in LinkEvent]: LinkAction } } = {
  off: {
    want: 'connect',
    wake: 'connect',
    drop: 'leave',
    opened: stay,
    lost: 'refuse',
    due: stay,
    renew: stay,
    settled: 'reset',
    close: 'end',
  },
  connecting: {
    want: stay,
    wake: stay,
    drop: 'leave',
    opened: 'arrive',
    lost: 'fail',
    due: stay,
    renew: stay,
    settled: stay,
    close: 'end',
  },
  connected: {
    want: stay,
    // A frozen tab or a sleeping device may have missed anything on a link that looks well.
    wake: 'catchUp',
    drop: 'leave',
    opened: stay,
    lost: 'fail',
    due: stay,
    renew: stay,
    settled: 'reset',
    close: 'end',
  },
  'backing-off': {
    want: 'connect',
    wake: 'connect',
    drop: 'leave',
    opened: stay,
    lost: 'fail',
    due: 'retry',
    renew: stay,
    settled: stay,
    close: 'end',
  },
  'needs-auth': {
    want: 'renew',
    wake: 'renew',
    drop: 'leave',
    opened: stay,
    lost: stay,
    due: 'renewAgain',
    renew: 'renew',
    settled: stay,
    close: 'end',
  },
  renewing: {
    want: stay,
    wake: stay,
    drop: 'leave',
    opened: 'arrive',
    lost: 'fail',
    due: stay,
    renew: stay,
    settled: stay,
    close: 'end',
  },
  'polling-refused': {
    want: 'renewIfWanted',
    wake: 'renewOrPoll',
    drop: 'leave',
    opened: stay,
    lost: 'refuse',
    due: 'pollAgain',
    renew: 'poll',
    settled: 'rest',
    close: 'end',
  },
  failed: {
    want: 'connect',
    wake: 'connect',
    drop: 'leave',
    opened: stay,
    lost: 'fail',
    due: stay,
    renew: stay,
    settled: stay,
    close: 'end',
  },
  closed: {
    want: stay,
    wake: stay,
    drop: stay,
    opened: stay,
    lost: stay,
    due: stay,
    renew: stay,
    settled: stay,
    close: stay,
  },
};
