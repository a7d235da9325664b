import {
  type Change,
  type ChangeSink,
  createTimers,
  isObject,
  type SyncLayerError,
  type Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { createLateRows } from './late-rows.js';
import type { Link } from './link.js';
import { LAG, type Model, type Operation, operations } from './model.js';
import { createReader, idOf } from './normalize.js';
import { problem } from './problem.js';
import type { Reads } from './reads.js';

export interface SubscriptionOptions {
  readonly link: Link;
  readonly model: Model;
  readonly reads: Reads;
  /** In ms. */
  readonly subscribeTimeout: number;
  readonly sink: ChangeSink;
}

/** A collection's three subscriptions, which live and end together. Returns what ends them. */
export function openSubscription({ link, model, reads, subscribeTimeout, sink }: SubscriptionOptions): Unsubscribe {
  const { collection } = model;
  function tell(change: Change): void {
    model.note(change.recordId, change.type !== 'delete');
    sink.change(change);
  }
  const take = createReader(model);
  const late = createLateRows(model, { change: tell, gap: (reason) => sink.gap(reason) }, (ids, signal) =>
    reads.byIds(model, ids, signal),
  );
  const timers = createTimers<'live' | 'again'>();
  const waiting = new Set<Operation>(operations);
  let stops: readonly (() => void)[] = [];
  let over = false;

  function end(): void {
    over = true;
    timers.close();
    late.close();
    for (const stop of stops) stop();
  }

  function fail(error: SyncLayerError): void {
    if (over) return;
    end();
    sink.error(error);
  }

  function onStarted(operation: Operation): void {
    if (over || !waiting.delete(operation) || waiting.size > 0) return;
    timers.cancel('live');
    sink.live();
    // What was written just before may be missing from what is read now.
    timers.schedule('again', LAG, () => sink.gap('reads of DynamoDB may have lagged behind'));
  }

  function onEvent(operation: Operation, field: string, payload: unknown): void {
    if (over) return;
    const { data, errors } = Object(payload) as { readonly data?: unknown; readonly errors?: unknown };
    const item = isObject(data) ? data[field] : undefined;
    const gone = operation === 'delete';
    const id = isObject(item) ? idOf(model, item) : undefined;
    // A field that the mutation did not select and that must not be null spoils the event, or a part of it.
    if (Array.isArray(errors) && errors.length > 0 && id !== undefined) {
      late.want(id, gone, undefined);
      return;
    }
    const taken = take(operation, item);
    if (taken === 'gap') sink.gap('an event that does not say which row it is about');
    else if ('read' in taken) late.want(taken.read, gone, taken.atLeast);
    else tell(taken);
  }

  timers.schedule('live', subscribeTimeout, () => {
    const message = `The subscription to "${collection}" was not live within ${subscribeTimeout} ms; it is tried again.`;
    fail(problem('CONNECT_TIMEOUT', message));
  });
  stops = operations.map((operation) => {
    const request = model.subscription(operation);
    return link.start(`The subscription ${request.field}`, request, {
      started: () => onStarted(operation),
      event: (payload) => onEvent(operation, request.field, payload),
      failed: fail,
    });
  });
  return end;
}
