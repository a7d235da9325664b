import type { SyncLayerError } from '../../base/errors.js';
import { connectionState, type Link, type LinkEffect, type LinkRules, linkStep, noLink } from './link.js';
import type { LinkEvent } from './link-table.js';

/** All that decides when the link, the pulls and the pushes work. */
export interface State {
  readonly link: Link;
  /** A live link is wanted: else the collections are polled. */
  readonly realtime: boolean;
  readonly paused: boolean;
  readonly closed: boolean;
  /** What the platform says. It is a hint: a machine with virtual adapters can be "offline" for ever. */
  readonly online: boolean;
  /** The page is shown. */
  readonly shown: boolean;
  /** The link was dropped because the page is not shown: nothing begins by itself until it is. */
  readonly away: boolean;
  /** There is a link, or the first poll that takes its place. */
  readonly begun: boolean;
  /** Edits wait for the attempt to connect: otherwise each start began with an error. */
  readonly held: boolean;
  /** Pushes that failed in a row. */
  readonly pushFailures: number;
  /** Rounds that failed in a row. */
  readonly pullFailures: number;
  /** What failed on a live link is read again when the backoff is over. */
  readonly retrying: boolean;
}

export const initialState: State = {
  link: noLink,
  realtime: false,
  paused: false,
  closed: false,
  online: true,
  shown: true,
  away: false,
  begun: false,
  held: false,
  pushFailures: 0,
  pullFailures: 0,
  retrying: false,
};

export type Event =
  /** The first answer of the flag, and each other one that follows. */
  | { readonly type: 'started' | 'flagChanged'; readonly realtime: boolean }
  | { readonly type: 'paused' | 'resumed' | 'closed' }
  | { readonly type: 'online' | 'offline' | 'shown' | 'hidden' }
  /** The page has not been shown for `disconnectInBackground`. */
  | { readonly type: 'backgroundDue' }
  /** The platform has said "offline" for so long that it is tried all the same. */
  | { readonly type: 'networkDue' }
  /** Another token, user or backend: everything begins again. */
  | { readonly type: 'restarted' | 'moved' }
  | { readonly type: 'woken' }
  /** `syncNow()`. */
  | { readonly type: 'wanted' }
  | { readonly type: 'opened' | 'due' | 'renewed' }
  /** The attempt, or the link, failed. */
  | { readonly type: 'lost'; readonly error: SyncLayerError }
  /** Something that was asked of the backend failed. */
  | { readonly type: 'workFailed'; readonly error: SyncLayerError; readonly collection?: string | undefined }
  /** Every collection is live, or failed for good. */
  | { readonly type: 'allSettled' }
  | { readonly type: 'caughtUp' | 'pushed' | 'pulled' }
  /** Edits are to be sent. */
  | { readonly type: 'pushWanted' | 'pushFailed' }
  /** `pullFailed`: on a live link, which reads again by itself. */
  | { readonly type: 'pullFailed' | 'retryDue' | 'roundFailed' };

/** What the shell does, in this order. */
export type Effect =
  | LinkEffect
  | 'subscribe'
  | 'unsubscribe'
  /** Gives up the pulls and pushes that are under way. */
  | 'interrupt'
  | 'push'
  | 'pollNow'
  | 'startSchedule'
  | 'retryPush'
  | 'retryPull'
  | 'readAgain'
  | 'awaitBackground'
  | 'awaitNetwork'
  | 'cancelBackground'
  | 'move'
  | 'sayOnline'
  | 'sayLink'
  | 'reportLink'
  | 'reportError'
  | 'refuseToken'
  | 'stop';

/** What a transition depends on, besides the state. */
export interface Rules extends Omit<LinkRules, 'wanted'> {
  /** A link is kept while the page is not shown. */
  readonly linkInBackground: boolean;
}

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

const mayLink = ({ realtime, closed, paused, shown }: State, { linkInBackground }: Rules): boolean =>
  realtime && !closed && !paused && (shown || linkInBackground);

const isReauth = (error: SyncLayerError | undefined): boolean => error !== undefined && error.kind === 'auth';

/** What a link that is another one now means for the rest. */
function linkChanged(state: State, before: Link): Step {
  const { link } = state;
  const status = connectionState(link);
  const { status: was } = connectionState(before);
  if (status.status === was && link.reason === before.reason) return { state, effects: [] };
  if (link.name === 'connected')
    return {
      state: { ...state, begun: true, online: true, pushFailures: 0, held: false },
      effects: ['sayOnline', 'sayLink', 'subscribe', 'push'],
    };
  const effects: Effect[] = [];
  let next = state;
  if (state.held && link.name !== 'connecting') {
    effects.push('push');
  }
  // There may be no WebSocket here, or none that gets through: the first rows need not wait for it.
  if (!state.begun && link.reason && !isReauth(link.reason)) {
    next = { ...next, begun: true };
    effects.push('pollNow');
  }
  effects.push('sayLink');
  // A token is asked for now and then: that it is refused again is no news.
  if (link.reason && (was !== 'needs-auth' || status.status !== was)) effects.push('reportLink');
  return { state: next, effects };
}

/** Hands an event to the link, after what has changed already. */
function withLink(
  state: State,
  event: LinkEvent,
  rules: Rules,
  effects: readonly Effect[] = [],
  reason?: SyncLayerError,
): Step {
  const { link, effects: own } = linkStep(state.link, event, { ...rules, wanted: mayLink(state, rules) }, reason);
  const { state: next, effects: more } = linkChanged({ ...state, link }, state.link);
  return { state: next, effects: [...effects, ...own, ...more] };
}

/** Something changed for the better: no backoff is waited out. */
function wake(state: State, rules: Rules, effects: readonly Effect[] = []): Step {
  if (state.closed || state.paused) return { state, effects };
  const { state: next, effects: own } = withLink({ ...state, pushFailures: 0 }, 'wake', rules, effects);
  return { state: next, effects: [...own, ...(next.realtime ? [] : (['pollNow'] as const)), 'push'] };
}

const drop = (state: State, rules: Rules, ...effects: Effect[]): Step =>
  withLink(state, 'drop', rules, [...effects, 'unsubscribe']);

type Handler<E extends Event> = (state: State, event: E, rules: Rules) => Step;
type Handlers = { readonly [Type in Event['type']]: Handler<Extract<Event, { readonly type: Type }>> };

const same = (state: State): Step => ({ state, effects: [] });

const handlers: Handlers = {
  started: (state, { realtime }, rules) =>
    withLink({ ...state, realtime, begun: !realtime }, 'want', rules, ['startSchedule']),
  flagChanged(state, { realtime }, rules) {
    const next = { ...state, realtime };
    return realtime ? withLink(next, 'want', rules) : drop(next, rules, 'interrupt');
  },

  paused: (state, _, rules) => drop({ ...state, paused: true }, rules, 'interrupt'),
  resumed: (state, _, rules) => wake({ ...state, paused: false }, rules),
  closed: (state, _, rules) => withLink({ ...state, closed: true }, 'close', rules, ['stop', 'unsubscribe']),

  online: (state, _, rules) => wake({ ...state, online: true }, rules, ['sayOnline']),
  offline: (state, _, rules) => {
    const next = { ...state, online: false };
    if (state.link.name === 'off') return { state: next, effects: ['sayOnline'] };
    return drop(next, rules, 'sayOnline', 'awaitNetwork');
  },
  networkDue: (state, _, rules) => withLink(state, 'want', rules),

  hidden: (state) => ({ state: { ...state, shown: false }, effects: ['awaitBackground'] }),
  shown: (state, _, rules) => wake({ ...state, shown: true, away: false }, rules, ['cancelBackground']),
  // Only a link costs battery; what is read without one may end.
  backgroundDue: (state, _, rules) =>
    state.link.name === 'off' ? same(state) : drop({ ...state, away: true }, rules, 'interrupt'),

  restarted: (state, _, rules) => drop(state, rules, 'interrupt'),
  // In one breath with the switch: no answer of the old backend comes between, and no question is on its way.
  moved: (state, _, rules) =>
    wake(state, rules, [
      'interrupt',
      'unsubscribe',
      'move',
      ...(state.link.name === 'connected' ? (['subscribe'] as const) : []),
    ]),
  woken: (state, _, rules) => wake(state, rules),
  wanted: (state, _, rules) => withLink(state, 'want', rules),

  opened: (state, _, rules) => withLink(state, 'opened', rules),
  due: (state, _, rules) => withLink(state, 'due', rules),
  renewed: (state, _, rules) => withLink(state, 'renew', rules),
  lost: (state, { error }, rules) => {
    const effects: Effect[] = state.link.name === 'connected' ? ['unsubscribe'] : [];
    if (isReauth(error)) effects.push('refuseToken');
    return withLink(state, 'lost', rules, effects, error);
  },

  workFailed(state, { error }, rules) {
    const { link, realtime, closed } = state;
    if (closed || error.code === 'CLOSED') return same(state);
    // What a lost link took with it failed with the token that is known to be refused; the next one may be good.
    const isKnown = link.name === 'connecting' || (realtime && isReauth(link.reason));
    const refused = isReauth(error) && !isKnown;
    const next = refused ? withLink(state, 'lost', rules, ['refuseToken', 'unsubscribe'], error) : same(state);
    // A link that is another one now tells its reason itself.
    const isSaid = next.effects.includes('sayLink') || link.reason?.message === error.message;
    return isSaid ? next : { ...next, effects: [...next.effects, 'reportError'] };
  },

  allSettled: (state, _, rules) => withLink(state, 'settled', rules),
  caughtUp(state, _, rules) {
    const online = { ...state, online: true };
    const link = state.online ? same(state) : withLink(online, 'want', rules, ['sayOnline']);
    const isPolling = !state.realtime;
    const next = isPolling ? withLink(link.state, 'settled', rules, link.effects) : link;
    const reached = isPolling || next.state.link.name === 'connected';
    return {
      state: { ...next.state, pullFailures: reached ? 0 : next.state.pullFailures },
      effects: [...next.effects, 'push'],
    };
  },

  pushWanted: (state) => ({ state, effects: ['push'] }),
  pushed: (state) => same({ ...state, pushFailures: 0 }),
  pushFailed: (state) => ({ state: { ...state, pushFailures: state.pushFailures + 1 }, effects: ['retryPush'] }),
  pulled: (state) => same({ ...state, pullFailures: 0 }),
  // One failed round is one failure, however many collections it had.
  pullFailed: (state) =>
    state.retrying
      ? same(state)
      : { state: { ...state, pullFailures: state.pullFailures + 1, retrying: true }, effects: ['retryPull'] },
  retryDue: (state) => ({
    state: { ...state, retrying: false },
    effects: state.link.name === 'connected' ? ['readAgain'] : [],
  }),
  roundFailed: (state) =>
    state.link.name === 'connected' ? same(state) : same({ ...state, pullFailures: state.pullFailures + 1 }),
};

/** Edits that would meet an attempt to connect are sent once it has ended; without a network, or a page that is shown, later. */
function pushIfMay({ state, effects }: Step): Step {
  if (!effects.includes('push')) return { state, effects };
  const held = state.link.name === 'connecting';
  const may = !held && state.online && !state.away;
  return { state: { ...state, held }, effects: may ? effects : effects.filter((effect) => effect !== 'push') };
}

/** What follows from an event: the next state, and the effects to run. Pure. */
export const step = (state: State, event: Event, rules: Rules): Step =>
  pushIfMay((handlers[event.type] as Handler<Event>)(state, event, rules));
