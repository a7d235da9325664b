import { fromPostgres, type HasuraError } from '../failure.js';
import { writeJson } from '../json.js';

/** Where a stream is. It moves with each batch, sent or not. */
export interface Cursor {
  value: string | null | undefined;
}

/** One subscription. */
export interface Subscription {
  /** Subscriptions with the same one share a poller: the role and the operation's text. */
  readonly poller: string;
  /** Those with the same variables and session too share a result. */
  readonly cohort: string;
  readonly stream: boolean;
  run(cursor: Cursor): Promise<object>;
}

/** Who is told. `data` is JSON text. */
export interface Sink {
  next(data: string): void;
  error(error: HasuraError): void;
}

export interface PollersOptions {
  /** Between two polls, ms. */
  readonly interval: number;
  /**
   * Subscriptions that saw a failed poll are never told anything once Postgres is back (graphql-engine#5099); `without a word`: not
   * of the failure either.
   */
  readonly silentAfterRestart: boolean | 'without a word';
}

export interface Pollers {
  /** Subscriptions that run. */
  readonly active: number;
  subscribe(subscription: Subscription, sink: Sink): () => void;
  /** Ends all. After it resolves no query runs. */
  close(): Promise<void>;
}

interface Cohort {
  readonly run: Subscription['run'];
  readonly stream: boolean;
  readonly cursor: Cursor;
  readonly sinks: Set<Sink>;
  /** Those that were told nothing yet. */
  readonly fresh: Set<Sink>;
  /** The result before; undefined after an error. */
  last: string | undefined;
  /** Those that are never told anything any more. */
  readonly mute: Set<Sink>;
}

interface Poller {
  readonly cohorts: Map<string, Cohort>;
  running: Promise<void>;
  timer: NodeJS.Timeout | undefined;
}

const isEmpty = (data: object): boolean =>
  Object.values(data).every((rows) => Array.isArray(rows) && rows.length === 0);

export function createPollers({ interval, silentAfterRestart }: PollersOptions): Pollers {
  const pollers = new Map<string, Poller>();
  let streams = 0;

  function tell(cohort: Cohort, sinks: readonly Sink[], how: (sink: Sink) => void): void {
    for (const sink of sinks) {
      // It may have ended while Postgres was asked.
      if (!cohort.sinks.has(sink)) continue;
      cohort.fresh.delete(sink);
      how(sink);
    }
  }

  function fail(cohort: Cohort, sinks: readonly Sink[], error: HasuraError): void {
    cohort.last = undefined;
    if (silentAfterRestart) for (const sink of sinks) cohort.mute.add(sink);
    // Whatever the error is, the subscription goes on. What is wrong with the request itself shows at its start.
    if (silentAfterRestart !== 'without a word') tell(cohort, sinks, (sink) => sink.error(error));
  }

  async function poll(cohort: Cohort): Promise<void> {
    const sinks = [...cohort.sinks];
    let data: object;
    try {
      data = await cohort.run(cohort.cursor);
    } catch (cause) {
      return fail(cohort, sinks, fromPostgres(cause, '$'));
    }
    const text = writeJson(data);
    const changed = text !== cohort.last;
    cohort.last = text;
    // A batch that reads as the one before is not sent, although the cursor has moved past it.
    const to = sinks.filter((sink) => !cohort.mute.has(sink) && (changed || cohort.fresh.has(sink)));
    if (cohort.stream && isEmpty(data)) for (const sink of to) cohort.fresh.delete(sink);
    else tell(cohort, to, (sink) => sink.next(text));
  }

  function start(name: string): Poller {
    const poller: Poller = { cohorts: new Map(), running: Promise.resolve(), timer: undefined };
    const turn = (): void => {
      poller.running = Promise.all([...poller.cohorts.values()].map(poll)).then(() => {
        if (pollers.get(name) === poller) poller.timer = setTimeout(turn, interval);
      });
    };
    pollers.set(name, poller);
    // After the first subscription is in it.
    poller.running = Promise.resolve().then(turn);
    return poller;
  }

  function stop(name: string, poller: Poller): void {
    clearTimeout(poller.timer);
    if (pollers.get(name) === poller) pollers.delete(name);
  }

  return {
    get active() {
      const cohorts = [...pollers.values()].flatMap((poller) => [...poller.cohorts.values()]);
      return cohorts.reduce((sum, { sinks }) => sum + sinks.size, 0);
    },
    subscribe({ poller: name, cohort: key, stream, run }, sink) {
      const poller = pollers.get(name) ?? start(name);
      // Two streams share a result only while their cursors are the same: here each has its own.
      const own = stream ? `${key} ${++streams}` : key;
      const cohort: Cohort = poller.cohorts.get(own) ?? {
        run,
        stream,
        cursor: { value: undefined },
        sinks: new Set(),
        fresh: new Set(),
        last: undefined,
        mute: new Set(),
      };
      poller.cohorts.set(own, cohort);
      cohort.sinks.add(sink);
      cohort.fresh.add(sink);
      return () => {
        cohort.sinks.delete(sink);
        cohort.fresh.delete(sink);
        cohort.mute.delete(sink);
        if (cohort.sinks.size === 0 && poller.cohorts.get(own) === cohort) poller.cohorts.delete(own);
        if (poller.cohorts.size === 0) stop(name, poller);
      };
    },
    async close() {
      const all = [...pollers];
      for (const [name, poller] of all) stop(name, poller);
      await Promise.all(all.map(([, poller]) => poller.running));
    },
  };
}
