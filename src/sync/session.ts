import { abortable, abort as abortWith, throwIfAborted } from '../base/abort.js';
import type { Change } from '../base/change.js';
import { SyncLayerError, toSyncLayerError } from '../base/errors.js';
import type { Settings } from '../config/defaults.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import type { Cursor, PullPage, RealtimeTransport, SyncFilter, Unsubscribe } from '../transport/transport.js';
import type { AuditContext, listenFor } from './audit.js';
import type { Remote } from './collection/remote.js';
import { checkRows } from './duplicate-keys.js';

/** How far a collection is: `live` means that all is here and new changes come by themselves. */
export type SessionPhase = 'idle' | 'subscribing' | 'catching-up' | 'live' | 'failed';

export interface SessionHooks {
  phase(phase: SessionPhase): void;
  /** The subscription ended. */
  lost(error: SyncLayerError): void;
  /** A catch-up failed; it is tried again by whoever supervises. */
  failed(error: SyncLayerError): void;
  caughtUp(count: number): void;
  /** A page came, with the server's clock. */
  clock(serverTime: number, sentAt: number): void;
  /** A live change arrived. */
  received(change: Change): void;
}

export interface SessionOptions {
  readonly collection: string;
  readonly transport: RealtimeTransport;
  readonly replica: Remote;
  readonly filter: SyncFilter;
  readonly settings: Pick<Settings, 'pageSize' | 'bufferLimit'>;
  readonly hooks: SessionHooks;
}

/** In a chunk of its own: most catch-ups need none of it. */
async function loadAudit(signal: AbortSignal) {
  try {
    const audit = await import('./audit.js');
    throwIfAborted(signal);
    return audit;
  } catch (error) {
    throw toSyncLayerError(error, 'CONNECTION_LOST', 'A part of SyncLayer could not be loaded; it is tried again.');
  }
}

/**
 * Keeps one collection equal to the backend: subscribe, buffer, wait for live, pull until a page is empty, apply the
 * buffer, and again after each gap.
 */
export function createSession(options: SessionOptions) {
  const { collection, transport, replica, filter, hooks } = options;
  let phase: SessionPhase = 'idle';
  /** The phase outside of a catch-up: a pull alone makes nothing live, only the backend's word does. */
  let resting: Exclude<SessionPhase, 'catching-up'> = 'idle';
  let unsubscribe: Unsubscribe | undefined;
  /** Aborts what this session waits for; replaced at each start. */
  let abort = new AbortController();
  let buffer: Change[] = [];
  let flushQueued = false;
  let running: Promise<number> | undefined;
  let again = false;
  /** What is to be compared: everything at an audit; after a gap, what no pull tells. */
  let due: 'audit' | 'gap' | undefined;
  /** Nothing was missed as far as is known: what is found all the same, the live link should have brought. */
  let looking = false;
  /** Listens for what a look has found while live. */
  let listening: ReturnType<typeof listenFor> | undefined;
  const compared: AuditContext['compared'] = new Map();
  const looks = { count: 0 };
  /** A snapshot under way: it survives a failed page, so that a bad line does not start it over. */
  let snapshot:
    | { cursor: Cursor | null; seen: Set<string> | undefined; readonly touched: ReturnType<Remote['track']> }
    | undefined;

  function setPhase(next: SessionPhase): void {
    if (phase === next) return;
    phase = next;
    hooks.phase(next);
  }

  function rest(next: typeof resting): void {
    resting = next;
    setPhase(next);
  }

  /** Applies what is in the buffer. Returns the ids of partial changes, whose rows must be fetched. */
  function applyBuffer(): string[] {
    const changes = buffer;
    buffer = [];
    return changes.length > 0 ? replica.apply(changes) : [];
  }

  function flushBuffer(): void {
    const partial = applyBuffer();
    const { signal } = abort;
    if (partial.length === 0) return;
    // What cannot be fetched lies behind the cursor: a pull brings it.
    void complete(partial, signal).catch(() => signal.aborted || onGap());
  }

  const contextOf = (signal: AbortSignal): AuditContext => ({
    ...{ collection, transport, replica, filter, signal, compared, looks },
    pull: (news) => pullAll(signal, news),
    reread(news) {
      forget();
      snapshot = { cursor: null, seen: new Set(), touched: replica.track() };
      return pullAll(signal, news);
    },
  });

  const complete = async (ids: readonly string[], signal: AbortSignal, news?: Set<string>): Promise<unknown> =>
    (await loadAudit(signal)).fetchRows(contextOf(signal), ids, news);

  async function settleDoubts(signal: AbortSignal): Promise<void> {
    if (replica.doubtful.size > 0) await (await loadAudit(signal)).settleDoubts(contextOf(signal));
  }

  function look(): void {
    const { signal } = abort;
    // A catch-up looks before it ends.
    if (running) return;
    if (transport.fetch) void settleDoubts(signal).catch(() => signal.aborted || onGap());
    // Reading all again is a catch-up, and two at once would take each other's pages for theirs.
    else void catchUp().catch(ignore);
  }

  function onChange(change: Change): void {
    // What a listener shows before it is live is no news.
    if (resting === 'live') hooks.received(change);
    listening?.heard(change.recordId);
    buffer.push(change);
    if (buffer.length > options.settings.bufferLimit && resting === 'subscribing' && !running) flushBuffer();
    else if (buffer.length > options.settings.bufferLimit) {
      // Bounded: what is dropped here lies behind the cursor, so one more pull brings it.
      buffer = [];
      onGap();
    } else if (!running && !flushQueued) {
      // One batch for all that arrives in this turn.
      flushQueued = true;
      queueMicrotask(() => {
        flushQueued = false;
        if (!running) flushBuffer();
      });
    }
  }

  function onGap(): void {
    if (phase === 'live') setPhase('catching-up');
    void catchUp().catch(ignore);
  }

  async function pullPage(cursor: Cursor | null, start: boolean, signal: AbortSignal): Promise<PullPage> {
    throwIfAborted(signal);
    const sentAt = Date.now();
    const request = { collection, cursor, start, limit: options.settings.pageSize, filter, signal };
    const page = await abortable(transport.pull(request), signal);
    if (page.serverTime !== undefined) hooks.clock(page.serverTime, sentAt);
    return page;
  }

  /** Returns how many changes came; `whole`: they were the entire collection, so no key can be missing. */
  async function pullAll(signal: AbortSignal, news?: Set<string>): Promise<{ count: number; whole: boolean }> {
    // Such a pull begins with the first row each time: what an unfinished one has seen may be gone by now.
    if (capabilitiesOf(transport, collection).cursor === 'snapshot') forget();
    let cursor = snapshot ? snapshot.cursor : replica.cursor;
    let whole = cursor === null;
    let count = 0;
    // From before the first page is asked for: it may be made before a row that is saved and acknowledged meanwhile.
    const touched = snapshot?.touched ?? replica.track();
    try {
      let next = pullPage(cursor, true, signal);
      for (;;) {
        const page = await next;
        // Stopped between the answer and here: what it says is of the past.
        throwIfAborted(signal);
        // A log of changes may name a record twice.
        if (capabilitiesOf(transport, collection).cursor !== 'sequence') checkRows(collection, page.changes);
        // A pull from the very beginning holds everything, whether the transport says so or not. Rows that are here
        // already and not in it were deleted while we were away.
        const isSnapshot = page.snapshot || (cursor === null && replica.hasServerRows());
        if (isSnapshot) snapshot ??= { cursor, seen: new Set(), touched };
        else if (!snapshot) touched.stop();
        cursor = page.cursor;
        count += page.changes.length;
        const ended = page.changes.length === 0;
        // The backend makes the next page while this one is applied.
        if (!ended) next = pullPage(cursor, false, signal);
        // Should this one fail, nobody waits for it.
        next.catch(ignore);
        // No cursor is stored before a snapshot is whole: after a crash in the middle the seen ids would be unknown, and
        // rows deleted meanwhile would stay for ever.
        const stored = snapshot && !ended ? undefined : cursor;
        const partial = replica.apply(page.changes, stored, { now: snapshot?.touched.ids, news });
        if (partial.length > 0) {
          await complete(partial, signal, news);
          throwIfAborted(signal);
          replica.apply([], stored);
        }
        if (snapshot) {
          if (page.incomplete) snapshot.seen = undefined;
          for (const { recordId, type } of page.changes) if (type !== 'delete') snapshot.seen?.add(recordId);
          snapshot.cursor = cursor;
        }
        if (!ended) continue;
        if (snapshot) {
          const { seen } = snapshot;
          if (seen) replica.removeMissing(seen, snapshot.touched.ids);
          whole = seen !== undefined;
          forget();
        }
        return { count, whole };
      }
    } finally {
      if (snapshot?.touched !== touched) touched.stop();
    }
  }

  function forget(): void {
    snapshot?.touched.stop();
    snapshot = undefined;
  }

  /** Begins to wait for what a look has found, and the live link should have brought. */
  async function listen(news: Set<string>, signal: AbortSignal): Promise<void> {
    for (const { recordId } of buffer) news.delete(recordId);
    if (phase !== 'live' || news.size === 0) return;
    const audit = await loadAudit(signal);
    listening?.stop();
    listening = audit.listenFor(news, () => {
      stop();
      hooks.lost(audit.silent(collection, news.size));
    });
  }

  /** Hard deletes leave no trace in this backend's pulls. */
  const isBlind = (): boolean =>
    transport.keys !== undefined && capabilitiesOf(transport, collection).deletes !== 'tombstones';

  function catchUp(compare?: boolean): Promise<number> {
    looking ||= compare !== undefined;
    if (compare) due = 'audit';
    else if (compare === undefined && isBlind()) due ??= 'gap';
    if (running) {
      again = true;
      return running;
    }
    const { signal } = abort;
    const work = async (): Promise<number> => {
      if (phase !== 'live') setPhase('catching-up');
      let count = 0;
      do {
        again = false;
        const news = looking && phase === 'live' ? new Set<string>() : undefined;
        const { count: more, whole } = await pullAll(signal, news);
        count += more;
        // Audits look at the versions of all others too.
        if (due && !whole) await (await loadAudit(signal)).compare(contextOf(signal), news);
        await settleDoubts(signal);
        throwIfAborted(signal);
        due = undefined;
        looking = false;
        if (news) await listen(news, signal);
      } while (again);
      hooks.caughtUp(count);
      return count;
    };
    const mine: Promise<number> = work().then(
      (count) => {
        if (running !== mine) return count;
        running = undefined;
        flushBuffer();
        setPhase(resting);
        if (again) void catchUp().catch(ignore);
        else if (replica.doubtful.size > 0) look();
        return count;
      },
      (thrown: unknown) => {
        const error = toSyncLayerError(thrown, 'CONNECTION_LOST', `Reading "${collection}" failed; it is tried again.`);
        if (running === mine) {
          running = undefined;
          setPhase(error.code === 'INTERNAL' ? 'failed' : unsubscribe ? 'catching-up' : resting);
          // Versions protect what is here; holding the buffer back would only delay it.
          flushBuffer();
          hooks.failed(error);
        }
        throw error;
      },
    );
    running = mine;
    return mine;
  }

  function endSubscription(): void {
    unsubscribe?.();
    unsubscribe = undefined;
  }

  function stop(): void {
    abortWith(abort, new SyncLayerError('CLOSED', `Reading "${collection}" was stopped.`));
    abort = new AbortController();
    endSubscription();
    listening?.stop();
    // Whatever still runs belongs to the past: its end changes nothing here.
    running = undefined;
    again = false;
    // A partial change is left to the next pull.
    applyBuffer();
    rest('idle');
  }

  return {
    get phase(): SessionPhase {
      return phase;
    },
    start(): void {
      if (unsubscribe) return;
      rest('subscribing');
      let over = false;
      const guard =
        <A extends unknown[]>(fn: (...args: A) => void) =>
        (...args: A): void => {
          if (!over) fn(...args);
        };
      const onError = guard((thrown: unknown) => {
        over = true;
        stop();
        const error = toSyncLayerError(thrown, 'PROTOCOL_VIOLATION', `The subscription to "${collection}" broke off.`);
        if (error.kind === 'fatal') rest('failed');
        hooks.lost(error);
      });
      const onLive = guard(() => {
        resting = 'live';
        onGap();
      });
      try {
        const sink = { change: guard(onChange), live: onLive, gap: guard(onGap), error: onError };
        const end = transport.subscribe({ collection, filter }, sink);
        unsubscribe = () => {
          over = true;
          end();
        };
        if (over) endSubscription();
      } catch (thrown) {
        onError(thrown);
      }
    },
    stop,
    /** Local data is gone: what an unfinished snapshot had seen says nothing any more. */
    forget,
    /** Something is doubtful: it is read by id. */
    look,
    /**
     * Pulls what is new, and compares all keys as well: `compare`, or left out where there may have been a gap. Resolves with how
     * many changes came. Joins a catch-up under way.
     */
    catchUp,
  };
}

export type Session = ReturnType<typeof createSession>;

/** The hook has told about it already. */
const ignore = (): void => undefined;
