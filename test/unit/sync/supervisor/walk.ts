import { SyncLayerError } from '../../../../src/base/errors.js';
import { connectionState } from '../../../../src/sync/supervisor/link.js';
import {
  type Effect,
  type Event,
  initialState,
  type Rules,
  type State,
  step,
} from '../../../../src/sync/supervisor/machine.js';

const errors = {
  passing: new SyncLayerError('CONNECTION_LOST', 'gone'),
  refused: new SyncLayerError('AUTH_REQUIRED', 'refused'),
  fatal: new SyncLayerError('CONFIG_INVALID', 'wrong'),
};

export interface World {
  readonly linkInBackground: boolean;
  readonly renewable: boolean;
  readonly maxAttempts: number;
}

/** What an independent observer knows: what runs, and what the app and the platform said last. */
interface Observed {
  attempting: boolean;
  subscribed: boolean;
  polling: boolean;
  realtime: boolean;
  paused: boolean;
  closed: boolean;
  online: boolean;
  shown: boolean;
  /** Timers that were set and have not fired. */
  readonly timers: Set<'background' | 'network' | 'retry' | 'push'>;
}

/** What the app, the platform and the rounds may do at any time. */
function fromOutside(seen: Observed): Event[] {
  return [
    { type: 'paused' },
    { type: seen.online ? 'offline' : 'online' },
    { type: seen.shown ? 'hidden' : 'shown' },
    { type: 'restarted' },
    { type: 'moved' },
    { type: 'woken' },
    { type: 'wanted' },
    { type: 'renewed' },
    { type: 'flagChanged', realtime: !seen.realtime },
    { type: 'caughtUp' },
    { type: 'pushWanted' },
    { type: 'pushed' },
    { type: 'pushFailed' },
    { type: 'pulled' },
    { type: 'roundFailed' },
    ...Object.values(errors).map((error) => ({ type: 'workFailed', error }) as const),
    ...(seen.paused ? [{ type: 'resumed' } as const] : []),
    { type: 'closed' },
  ];
}

/** How what is under way may go on. Only what runs can end, and only a timer that was set can fire. */
function fromWithin({ link }: State, seen: Observed): Event[] {
  const ends: Event[] = Object.values(errors).map((error) => ({ type: 'lost', error }));
  return [
    ...(seen.attempting ? [{ type: 'opened' } as const, ...ends] : []),
    ...(link.name === 'connected' ? [...ends, { type: 'allSettled' } as const, { type: 'pullFailed' } as const] : []),
    ...(link.retryAt === undefined || seen.attempting ? [] : [{ type: 'due' } as const]),
    // A read without a link ends.
    ...(link.name === 'off' || link.name === 'polling-refused'
      ? [
          { type: 'workFailed', error: errors.refused } as const,
          { type: 'workFailed', error: errors.refused } as const,
          { type: 'caughtUp' } as const,
        ]
      : []),
    ...(seen.timers.has('background') ? [{ type: 'backgroundDue' } as const] : []),
    ...(seen.timers.has('network') ? [{ type: 'networkDue' } as const] : []),
    ...(seen.timers.has('retry') ? [{ type: 'retryDue' } as const] : []),
  ];
}

function observe(seen: Observed, event: Event, effects: readonly Effect[]): void {
  if (event.type === 'paused') seen.paused = true;
  if (event.type === 'resumed') seen.paused = false;
  if (event.type === 'closed') seen.closed = true;
  if (event.type === 'online' || event.type === 'offline') seen.online = event.type === 'online';
  // Whatever is heard of the backend says that there is a network.
  if (event.type === 'caughtUp' || event.type === 'opened') seen.online = true;
  if (event.type === 'shown' || event.type === 'hidden') seen.shown = event.type === 'shown';
  if ('realtime' in event) seen.realtime = event.realtime;
  if (event.type === 'opened' || event.type === 'lost') seen.attempting = false;
  if (event.type === 'backgroundDue') seen.timers.delete('background');
  if (event.type === 'networkDue') seen.timers.delete('network');
  if (event.type === 'retryDue') seen.timers.delete('retry');
  for (const effect of effects) {
    if (effect === 'connect') seen.attempting = true;
    if (effect === 'abort') seen.attempting = false;
    if (effect === 'subscribe') seen.subscribed = true;
    if (effect === 'unsubscribe') seen.subscribed = false;
    if (effect === 'pollNow' || effect === 'startSchedule') seen.polling = true;
    if (effect === 'awaitBackground') seen.timers.add('background');
    if (effect === 'cancelBackground') seen.timers.delete('background');
    if (effect === 'awaitNetwork') seen.timers.add('network');
    if (effect === 'sayOnline') seen.timers.delete('network');
    if (effect === 'retryPull') seen.timers.add('retry');
    if (effect === 'stop') seen.timers.clear();
  }
  if (event.type === 'offline' && effects.includes('awaitNetwork')) seen.timers.add('network');
}

/** What must hold after every event, whatever came before. Returns what does not. */
function broken(
  before: State,
  after: State,
  seen: Observed,
  event: Event,
  effects: readonly Effect[],
  world: World,
): string[] {
  const { name } = after.link;
  const { status } = connectionState(after.link);
  const rules: readonly (readonly [string, boolean])[] = [
    [
      'an attempt is under way just where the state says so',
      seen.attempting === ['connecting', 'renewing'].includes(name),
    ],
    ['the collections are subscribed just while the link is up', seen.subscribed === (name === 'connected')],
    [
      'a paused or closed one, or one that only polls, has no link',
      !(seen.paused || seen.closed || !seen.realtime) || ['off', 'polling-refused', 'closed'].includes(name),
    ],
    ['closed is final', seen.closed === (name === 'closed')],
    ['what backs off has a timer', name !== 'backing-off' || after.link.retryAt !== undefined],
    ['a wait that is over goes on', event.type !== 'due' || effects.includes('connect') || effects.includes('poll')],
    [
      'a token that can be had is asked for',
      status !== 'needs-auth' || !world.renewable || after.link.retryAt !== undefined,
    ],
    [
      'what is connected, off or failed waits for nothing',
      !['off', 'connecting', 'connected', 'failed', 'closed'].includes(name) || after.link.retryAt === undefined,
    ],
    ['edits are held back just for an attempt', !after.held || name === 'connecting'],
    [
      'edits that were held are sent once the attempt has ended',
      !before.held ||
        after.held ||
        seen.closed ||
        seen.paused ||
        effects.includes('push') ||
        !after.online ||
        after.away,
    ],
    [
      'nothing is pushed offline, away or into an attempt',
      !effects.includes('push') || (after.online && !after.away && name !== 'connecting'),
    ],
    ['a link that is lost is told', connectionState(before.link).status === status || effects.includes('sayLink')],
    [
      'each failure of the link is reported',
      event.type !== 'lost' ||
        before.link.name === 'off' ||
        (connectionState(before.link).status === 'needs-auth' && status === 'needs-auth') ||
        effects.includes('reportLink'),
    ],
    [
      'a link that the app wants is made',
      !['resumed', 'woken', 'wanted', 'shown', 'online'].includes(event.type) ||
        !after.realtime ||
        seen.paused ||
        seen.closed ||
        (!seen.shown && !world.linkInBackground) ||
        ['connecting', 'connected', 'renewing'].includes(name),
    ],
    ['a page that is shown is not away', !seen.shown || !after.away],
    [
      'a wake on a link that is up reads again',
      event.type !== 'woken' || before.link.name !== 'connected' || seen.paused || effects.includes('catchUp'),
    ],
    [
      'a wake without a link reads at once',
      event.type !== 'woken' || after.realtime || seen.paused || seen.closed || effects.includes('pollNow'),
    ],
    [
      'a link that is dropped is closed',
      !['paused', 'restarted', 'backgroundDue'].includes(event.type) ||
        before.link.name === 'off' ||
        before.link.name === 'closed' ||
        effects.includes('disconnect'),
    ],
    [
      'an attempt to renew asks for another token',
      name !== 'renewing' ||
        before.link.name === 'renewing' ||
        (effects.includes('ask') && effects.indexOf('ask') < effects.indexOf('connect')),
    ],
    [
      'where there is no link the first read does not wait for it',
      after.begun || name !== 'backing-off' || seen.polling,
    ],
    [
      'success forgets the failures',
      event.type !== 'allSettled' || (after.link.failures === 0 && after.link.refusals === 0),
    ],
    [
      'a token that was refused is remembered',
      event.type !== 'lost' ||
        event.error !== errors.refused ||
        seen.closed ||
        effects.includes('refuseToken') ||
        before.link.name === 'off',
    ],
    [
      'reading without a link ends a refusal',
      event.type !== 'caughtUp' || after.realtime || (status !== 'needs-auth' && after.link.refusals === 0),
    ],
    [
      'a refused token is counted wherever it is met',
      event.type !== 'workFailed' ||
        event.error !== errors.refused ||
        seen.closed ||
        before.link.name === 'connecting' ||
        (before.realtime && before.link.reason?.code === 'AUTH_REQUIRED') ||
        after.link.refusals === before.link.refusals + 1,
    ],
    [
      'two refusals in a row need a token',
      !('error' in event) ||
        event.error !== errors.refused ||
        after.link.refusals < 2 ||
        status === 'needs-auth' ||
        seen.closed ||
        (before.link.name === 'connecting' && event.type === 'workFailed'),
    ],
    ['a restart forgets refusals', event.type !== 'restarted' || seen.closed || after.link.refusals === 0],
    [
      'another token is tried at once',
      event.type !== 'renewed' || status !== 'needs-auth' || before.link.name === 'renewing' || effects.includes('ask'),
    ],
    [
      'a wake without a link asks for the token at once',
      event.type !== 'woken' ||
        before.link.name !== 'polling-refused' ||
        seen.paused ||
        seen.closed ||
        effects.includes('ask'),
    ],
    ['one failure is one backoff', event.type !== 'pullFailed' || !before.retrying || !effects.includes('retryPull')],
  ];
  return rules.flatMap(([rule, holds]) => (holds ? [] : [rule]));
}

/** From here, with everything well, the link comes up. */
function recovers(state: State, rules: Rules): boolean {
  let now = state;
  const go = (event: Event): void => {
    now = step(now, event, rules).state;
  };
  for (const event of [
    { type: 'online' },
    { type: 'shown' },
    { type: 'flagChanged', realtime: true },
    { type: 'resumed' },
  ] as const)
    go(event);
  for (let turn = 0; turn < 3 && now.link.name !== 'connected'; turn++) {
    if (now.link.name === 'connecting' || now.link.name === 'renewing') go({ type: 'opened' });
    else go({ type: 'due' });
  }
  return now.link.name === 'connected';
}

/** Walks the machine by these choices. Throws at the first event after which something does not hold. */
export function walk(choices: readonly number[], world: World): void {
  let now = 0;
  const rules = (): Rules => ({
    ...world,
    now,
    retryDelay: (failures) => failures * 10,
    renewalDelay: (refusals) => 100 + refusals,
  });
  const seen: Observed = {
    attempting: false,
    subscribed: false,
    polling: false,
    realtime: true,
    paused: false,
    closed: false,
    online: true,
    shown: true,
    timers: new Set(),
  };
  let state = initialState;
  const path: string[] = [];
  const take = (event: Event): void => {
    now += 1;
    const before = state;
    const { state: after, effects } = step(before, event, rules());
    state = after;
    observe(seen, event, effects);
    path.push(`${event.type} -> ${after.link.name}`);
    const wrong = broken(before, after, seen, event, effects, world);
    if (wrong.length > 0) throw new Error(`${wrong.join('; ')}\n${path.join('\n')}`);
  };
  take({ type: 'started', realtime: true });
  for (const choice of choices) {
    const within = fromWithin(state, seen);
    const events = choice % 10 < 6 && within.length > 0 ? within : fromOutside(seen);
    const event = events[Math.floor(choice / 10) % events.length] as Event;
    take(event);
    if (seen.closed) return;
  }
  if (!recovers(state, rules())) throw new Error(`the link does not come up again\n${path.join('\n')}`);
}
