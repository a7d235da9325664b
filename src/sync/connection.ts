import { abort, abortable } from '../base/abort.js';
import { disposition, SyncLayerError, toSyncLayerError } from '../base/errors.js';
import type { Settings } from '../config/defaults.js';
import type { ConnectionState } from '../observe/connection-state.js';
import type { RealtimeTransport } from '../transport/transport.js';

export interface ConnectionOptions {
  readonly transport: RealtimeTransport;
  readonly settings: Pick<Settings, 'maxWebsocketReconnectAttempts' | 'connectTimeout' | 'maxReconnectDelay'>;
  /** Before the attempt after so many failures, in ms. */
  readonly retryDelay: (failures: number) => number;
  /** Another attempt may bring another token, or needs none. */
  readonly renewable: () => boolean;
  /** Called before a token is asked for again that was refused. `poll`: there is no link, so a read has to ask. */
  readonly onRenewal: (poll: boolean) => void;
  /** Called at each change of state, with the new one and the one before. */
  readonly onState: (state: ConnectionState, before: ConnectionState) => void;
  /** `connect` ended: for the metrics. Time in ms. */
  readonly onAttempt: (ok: boolean, took: number) => void;
}

/** The longest wait between two looks for another token is at least this, in ms: a short reconnect delay makes no storm of them. */
const SLOW = 6000;

/** How long to wait before a token is asked for again that was refused `times` times, in ms: from a sixth of the longest wait up to it. */
export const renewalWait = (times: number, longest: number, random: () => number = Math.random): number => {
  const most = Math.max(longest, SLOW);
  return (0.5 + random() / 2) * Math.min(most, (most / 6) * 2 ** Math.min(times, 10));
};

/**
 * Keeps a link up for as long as it is wanted: connects, waits, connects again. What comes after the connection, and
 * how its loss is noticed, is the caller's business.
 */
export function createConnection(options: ConnectionOptions) {
  const { transport, settings, onState } = options;
  let state: ConnectionState = { status: 'idle' };
  let wanted = false;
  let attempt = 0;
  let refusals = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let connecting: AbortController | undefined;

  function setState(next: ConnectionState): void {
    const before = state;
    state = next;
    onState(next, before);
  }

  function clear(): void {
    clearTimeout(timer);
    connecting?.abort();
    connecting = undefined;
  }

  async function open(): Promise<void> {
    clear();
    const controller = new AbortController();
    connecting = controller;
    const startedAt = Date.now();
    // Until it is known that another token is let in, the app goes on saying that one is needed.
    if (state.status !== 'needs-auth') setState({ status: 'connecting', attempt: attempt + 1 });
    // Whoever was told may have stopped it.
    if (connecting !== controller) return;
    timer = setTimeout(() => {
      const message = `${transport.name} did not connect within ${settings.connectTimeout} ms. Is the server up, and its address right?`;
      abort(controller, new SyncLayerError('CONNECT_TIMEOUT', message, { adapter: transport.name }));
    }, settings.connectTimeout);
    try {
      await abortable(transport.connect({ signal: controller.signal }), controller.signal);
      if (connecting !== controller) return;
      clearTimeout(timer);
      connecting = undefined;
      options.onAttempt(true, Date.now() - startedAt);
      setState({ status: 'connected', since: Date.now() });
    } catch (thrown) {
      if (connecting !== controller) return;
      connecting = undefined;
      options.onAttempt(false, Date.now() - startedAt);
      fail(
        toSyncLayerError(thrown, 'CONNECT_FAILED', `${transport.name} could not connect.`, { adapter: transport.name }),
      );
    }
  }

  function fail(reason: SyncLayerError): void {
    clear();
    if (wanted) setState(after(reason));
    // Polling has no link, but asks with the same token.
    else if (state.status !== 'closed' && disposition(reason.code) === 'reauth' && ++refusals > 1)
      setState(needsAuth(reason));
    if ('retryAt' in state) timer = setTimeout(retry, Math.max(0, state.retryAt - Date.now()));
  }

  function needsAuth(reason: SyncLayerError): ConnectionState {
    const wait = renewalWait(refusals - 2, settings.maxReconnectDelay);
    return { status: 'needs-auth', reason, ...(options.renewable() && { retryAt: Date.now() + wait }) };
  }

  function retry(): void {
    if (state.status === 'needs-auth') options.onRenewal(!wanted);
    if (wanted) void open();
    // Whatever the read ends with, if not with a refusal.
    else timer = setTimeout(retry, renewalWait(refusals, settings.maxReconnectDelay));
  }

  /** Where a failure leads: to another attempt, or to a state that waits for somebody. */
  function after(reason: SyncLayerError): ConnectionState {
    const what = disposition(reason.code);
    if (what === 'fatal') return { status: 'failed', reason };
    // One more try asks for a fresh token; the host refuses to hand out one that was refused before.
    if (what === 'reauth' && ++refusals > 1) return needsAuth(reason);
    attempt += 1;
    if (attempt > settings.maxWebsocketReconnectAttempts) return { status: 'failed', reason };
    return { status: 'disconnected', reason, retryAt: Date.now() + options.retryDelay(attempt) };
  }

  return {
    get state(): ConnectionState {
      return state;
    },
    /** Wants the link; a wait for the next attempt ends at once. Also the way out of `failed`, and of `needs-auth` with another token. */
    start(): void {
      if (state.status === 'closed' || (wanted && (connecting || state.status === 'connected'))) return;
      wanted = true;
      attempt = 0;
      if (state.status !== 'needs-auth') refusals = 0;
      void open();
    },
    /** A token may be had now: what waits in `needs-auth` asks at once. */
    renew(): void {
      if (state.status !== 'needs-auth' || connecting) return;
      clear();
      refusals = 1;
      retry();
    },
    /** Lost after it was up, or refused: see `disposition`. */
    fail,
    /** All that the link is for works: the next loss starts from the shortest wait. */
    settled(): void {
      attempt = 0;
      refusals = 0;
      if (state.status === 'needs-auth') {
        clear();
        setState({ status: 'idle' });
      }
    },
    async stop(): Promise<void> {
      if (state.status === 'closed') return;
      wanted = false;
      refusals = 0;
      clear();
      setState({ status: 'idle' });
      await transport.disconnect?.();
    },
    close(): void {
      wanted = false;
      clear();
      setState({ status: 'closed' });
    },
  };
}

export type Connection = ReturnType<typeof createConnection>;
