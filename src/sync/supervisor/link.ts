import type { SyncLayerError } from '../../base/errors.js';
import type { ConnectionState } from '../../observe/connection-state.js';
import { type LinkAction, type LinkEvent, type LinkName, linkTable } from './link-table.js';

/** The link, as the supervisor keeps it. */
export interface Link {
  readonly name: LinkName;
  /** Attempts that failed since all worked last. */
  readonly failures: number;
  /** Refusals of a token in a row. */
  readonly refusals: number;
  /** Why it is not connected. */
  readonly reason?: SyncLayerError;
  /** When the wait is over, in ms since 1970. */
  readonly retryAt?: number;
  /** When it was connected, in ms since 1970. */
  readonly since?: number;
}

/** What the shell does. `ask`: a token that was refused may be asked for again. `poll`: a read asks with it. */
export type LinkEffect = 'connect' | 'abort' | 'disconnect' | 'ask' | 'poll' | 'catchUp';

/** What a transition depends on, besides the link itself. */
export interface LinkRules {
  /** Now, in ms since 1970. */
  readonly now: number;
  /** The app wants a link, and may have one now. */
  readonly wanted: boolean;
  readonly maxAttempts: number;
  /** Another attempt may bring another token, or needs none. */
  readonly renewable: boolean;
  /** Before the attempt after so many failures, in ms. */
  readonly retryDelay: (failures: number) => number;
  /** Before a token is asked for again that was refused so many times, in ms. */
  readonly renewalDelay: (refusals: number) => number;
}

export interface LinkStep {
  readonly link: Link;
  readonly effects: readonly LinkEffect[];
}

export const noLink: Link = { name: 'off', failures: 0, refusals: 0 };

type Act = (link: Link, rules: LinkRules, reason: SyncLayerError) => LinkStep;

/** One more try asks for a fresh token; the token source refuses to hand out one that was refused before. */
const isRefused = ({ refusals }: Link): boolean => refusals > 1;

const step = (link: Link, ...effects: LinkEffect[]): LinkStep => ({ link, effects });

const to = (name: LinkName, { failures, refusals }: Link, more: Partial<Link> = {}): Link => ({
  name,
  failures,
  refusals,
  ...more,
});

const refusedAgain = (link: Link): Link => ({ ...link, refusals: link.refusals + 1 });

const needsAuth = (
  name: LinkName,
  link: Link,
  { now, renewable, renewalDelay }: LinkRules,
  reason: SyncLayerError,
): Link => to(name, link, { reason, ...(renewable && { retryAt: now + renewalDelay(link.refusals - 2) }) });

const backOff = (link: Link, { now, maxAttempts, retryDelay }: LinkRules, reason: SyncLayerError): Link => {
  const failures = link.failures + 1;
  if (failures > maxAttempts) return to('failed', { ...link, failures }, { reason });
  return to('backing-off', { ...link, failures }, { reason, retryAt: now + retryDelay(failures) });
};

const actions: { readonly [Action in LinkAction]: Act } = {
  stay: (link) => step(link),
  connect: (link, { wanted }) =>
    wanted ? step(to('connecting', { ...link, failures: 0, refusals: 0 }), 'connect') : step(link),
  retry: (link) => step(to('connecting', link), 'connect'),
  // Until it is known that another token is let in, the app goes on saying that one is needed.
  renew: (link) => step({ ...link, name: 'renewing', failures: 0, refusals: 1 }, 'ask', 'connect'),
  renewAgain: (link) => step({ ...link, name: 'renewing' }, 'ask', 'connect'),
  renewIfWanted: (link, rules, reason) => (rules.wanted ? actions.renew(link, rules, reason) : step(link)),
  renewOrPoll: (link, rules, reason) => actions[rules.wanted ? 'renew' : 'poll'](link, rules, reason),
  poll: (link, rules, reason) => actions.pollAgain({ ...link, refusals: 1 }, rules, reason),
  // Asked again in any case: a read that fails for another reason says nothing about the token.
  pollAgain: (link, { now, renewalDelay }) =>
    step({ ...link, retryAt: now + renewalDelay(link.refusals) }, 'ask', 'poll'),
  arrive: (link, { now }) => step(to('connected', link, { since: now })),
  catchUp: (link) => step(link, 'catchUp'),
  fail(link, rules, reason) {
    const what = reason.kind;
    if (what === 'fatal') return step(to('failed', link, { reason }), 'abort');
    if (what !== 'auth') return step(backOff(link, rules, reason), 'abort');
    const next = refusedAgain(link);
    return step(isRefused(next) ? needsAuth('needs-auth', next, rules, reason) : backOff(next, rules, reason), 'abort');
  },
  refuse(link, rules, reason) {
    if (reason.kind !== 'auth') return step(link);
    const next = refusedAgain(link);
    return step(isRefused(next) ? needsAuth('polling-refused', next, rules, reason) : next);
  },
  reset: (link) => step({ ...link, failures: 0, refusals: 0 }),
  leave: (link) => step(to('off', { ...link, refusals: 0 }), 'abort', 'disconnect'),
  rest: () => step(noLink, 'abort'),
  end: (link) => step(to('closed', link), 'abort'),
};

/** What a link does about an event. `reason`: of `lost`. Pure. */
export const linkStep = (link: Link, event: LinkEvent, rules: LinkRules, reason?: SyncLayerError): LinkStep =>
  actions[linkTable[link.name][event]](link, rules, (reason ?? link.reason) as SyncLayerError);

/** The link as an app sees it. */
export function connectionState({ name, failures, since = 0, reason, retryAt }: Link): ConnectionState {
  if (name === 'connecting') return { status: name, attempt: failures + 1 };
  if (name === 'connected') return { status: name, since };
  if (!reason) return { status: name === 'closed' ? name : 'idle' };
  if (name === 'failed') return { status: name, reason };
  if (name === 'backing-off') return { status: 'disconnected', reason, retryAt: retryAt ?? 0 };
  return { status: 'needs-auth', reason, ...(retryAt !== undefined && { retryAt }) };
}
