import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import { type User, userChange } from './identity.js';
import { subjectOf } from './jwt.js';
import type { AuthToken } from './transport.js';
import { type Limit, OUTSIDE_LIMIT, within } from './within.js';

/** Refusals that are no word about the token that was handed out last: they named theirs, or there was none. */
const named = new WeakSet<SyncLayerError>();

/** Who is signed in, as the app says it. A function gives undefined for nobody. */
export type ConfiguredUser = string | (() => string | undefined);

export interface TokenSourceOptions {
  /** Instead of the user that a JWT names. */
  readonly user?: ConfiguredUser | undefined;
  /** Another user is signed in, or the first one that is known. Called before anything is asked as that user. */
  readonly onUser?: (next: User, before: User) => void;
  /** How long a token function may take. */
  readonly limit?: Pick<Limit, 'ms' | 'signal'>;
}

/**
 * The app's token, and the memory of which one the backend refused: asking again with that one could loop for ever. And the user
 * whom it speaks for: what another user would send or read is given up, and what nobody would, too.
 */
export function createTokenSource(initial: AuthToken | undefined, options: TokenSourceOptions = {}) {
  let source = initial;
  let last: string | undefined;
  /** One was handed out twice. What gives another one each time has no newer one that could be good. */
  let reused = false;
  let refused: { readonly token: string | undefined } | undefined;
  /** Where the last one came from. */
  let asked = initial;
  let configured = options.user;
  /** Whom the tokens named since a fixed `configured` was given: it says nothing about a token of another one. */
  let fixedFor: string | undefined;
  let user: User;
  /** An SDK has told who is signed in: see `TransportHost.user`. */
  let told = false;
  /** Who has signed out, until an SDK tells of another one. */
  let left: User;

  function asConfigured(subject: User): User {
    if (typeof configured === 'function') return configured() ?? null;
    if (configured === undefined || typeof subject !== 'string') return configured ?? subject;
    fixedFor ??= subject;
    return subject === fixedFor ? configured : subject;
  }

  /** Whom a token stands for. */
  function userOf(token: string | undefined): User {
    if (token !== undefined) return asConfigured(subjectOf(token));
    if (asked !== undefined) return null;
    return told ? user : asConfigured(null);
  }

  /** Throws where nothing may be asked as this user now. */
  function identify(next: User, hasToken = false): void {
    const change = userChange(user, next, { hadToken: last !== undefined, hasToken });
    if (change === 'same') return;
    if (change === 'away') throw away();
    const before = user;
    user = next;
    if (!options.onUser) return;
    options.onUser(next, before);
    if (change === 'other')
      throw new SyncLayerError('CONNECTION_LOST', 'Another user is signed in; everything is read again.');
  }

  async function get(own?: AuthToken): Promise<string | undefined> {
    const from = source ?? own;
    asked = from;
    const token = await ask(from, options.limit ?? { ms: OUTSIDE_LIMIT });
    // The app has set another one meanwhile.
    if (from !== (source ?? own)) return get(own);
    if (refused && refused.token === token) {
      const what = token
        ? 'The token was refused. Sign in again'
        : 'The backend wants a token and none is configured. Set authToken';
      throw withoutWord(new SyncLayerError('AUTH_REQUIRED', `${what}, or call sync.setAuthToken(token).`));
    }
    identify(userOf(token), token !== undefined);
    refused = undefined;
    reused ||= last === token;
    last = token;
    return token;
  }

  return {
    get,
    /** See `TransportHost.refused`. */
    refused(token: string | undefined, error: SyncLayerError): SyncLayerError {
      if (error.kind !== 'auth') return error;
      if (token !== last && reused) return new SyncLayerError('CONNECTION_LOST', `${error.message} It is tried again.`);
      if (token === last) refused = { token };
      named.add(error);
      return error;
    },
    /** See `TransportHost.user`. */
    told(subject: string | null): void {
      told = true;
      if (subject !== null && subject === left) throw away();
      left = undefined;
      identify(subject && asConfigured(subject));
    },
    /** A transport failed with AUTH_REQUIRED. Where it does not say which token was refused, it was the one handed out last. */
    refuse(error: SyncLayerError): void {
      if (!named.has(error)) refused = { token: last };
    },
    /** Asking again may bring another one, or there is none that could be renewed. */
    renewable: (): boolean => typeof asked !== 'string',
    /** Where there is no token at all, a refusal says nothing about the next attempt. */
    again(): void {
      if (asked === undefined) refused = undefined;
    },
    /** `as`: the user whom the token stands for, instead of the one who was configured. */
    set(next: AuthToken | undefined, as?: ConfiguredUser): void {
      source = next;
      asked = next;
      last = undefined;
      refused = undefined;
      reused = false;
      left = undefined;
      if (as !== undefined) {
        configured = as;
        fixedFor = undefined;
      }
      this.look();
    },
    /** Takes what is known without asking anybody. `stored`: who used the store last. */
    look(stored?: User): void {
      user ??= stored;
      try {
        identify(typeof source === 'string' ? userOf(source) : asConfigured(undefined), typeof source === 'string');
      } catch {
        // That the session is away, the next one who asks for the token is told. That it is another user's, `onUser` was.
      }
    },
    /** The user has signed out: what still speaks for them is not taken again. */
    leave(): void {
      refused = last === undefined ? undefined : { token: last };
      last = undefined;
      left = user;
      if (typeof source === 'string') source = undefined;
      if (typeof configured === 'string') configured = undefined;
      if (user !== undefined) user = null;
    },
    get user(): User {
      return user;
    },
    /** Nobody is signed in, and somebody may yet. */
    get awaitsSignIn(): boolean {
      return user === null && (asked !== undefined || told);
    },
  };
}

function away(): SyncLayerError {
  const what = 'The session is away: nobody is signed in any more. Rows and edits stay, and it is asked for again.';
  return withoutWord(new SyncLayerError('AUTH_REQUIRED', `${what} Sign in, or call sync.signOut().`));
}

/** It says nothing of the token that was handed out last. */
function withoutWord(error: SyncLayerError): SyncLayerError {
  named.add(error);
  return error;
}

/** A function that fails (offline, say), or never answers, is no refusal: it is asked again with the next attempt. */
async function ask(from: AuthToken | undefined, limit: Pick<Limit, 'ms' | 'signal'>): Promise<string | undefined> {
  const late = (): SyncLayerError =>
    new SyncLayerError('CONNECT_FAILED', `authToken() has not answered for ${limit.ms} ms; it is asked again.`);
  try {
    return typeof from === 'function' ? await within(from(), { ...limit, late }) : from;
  } catch (error) {
    throw toSyncLayerError(error, 'CONNECT_FAILED', 'authToken() failed to get a token; it is asked again.');
  }
}
