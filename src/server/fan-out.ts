import type { EventMessage } from '../base/protocol.js';
import type { Sees } from './access.js';
import { editTime } from './answers.js';
import type { Committed } from './committer.js';
import { type Prepared, prepare } from './frame.js';

/** Who gets events: one per socket. */
export interface Subscriber {
  /** Sends an event of a collection, or drops it and remembers the gap. */
  deliver(collection: string, event: Prepared): void;
}

/** An event as it goes over the wire. */
const eventOf = ({ collection, type, record, userId }: Committed, visible: boolean) => {
  const hidden = !visible && record.data !== null;
  return {
    type: visible ? type : 'delete',
    collection,
    recordId: record.id,
    // JSON has no place for what is undefined.
    data: (visible && record.data) || undefined,
    timestamp: new Date(record.updatedAt).toISOString(),
    metadata: { version: record.version, seq: record.version, userId, ...editTime(record), ...(hidden && { hidden }) },
  } satisfies { readonly [Field in keyof EventMessage]: unknown };
};

export interface FanOut {
  /** `sees` undefined: every row. Subscribing again replaces it. */
  subscribe(subscriber: Subscriber, collection: string, sees: Sees | undefined): void;
  unsubscribe(subscriber: Subscriber, collection: string): void;
  /** To every subscriber but the sender, each form of the event made once. */
  publish(change: Committed, sender: unknown): void;
}

export function createFanOut(): FanOut {
  const collections = new Map<string, Map<Subscriber, Sees | undefined>>();

  return {
    subscribe(subscriber, collection, sees) {
      let subscribers = collections.get(collection);
      if (!subscribers) {
        subscribers = new Map();
        collections.set(collection, subscribers);
      }
      subscribers.set(subscriber, sees);
    },
    unsubscribe(subscriber, collection) {
      const subscribers = collections.get(collection);
      if (subscribers?.delete(subscriber) && subscribers.size === 0) collections.delete(collection);
    },
    publish(change, sender) {
      const { collection, record, previous } = change;
      let whole: Prepared | undefined;
      let gone: Prepared | undefined;
      for (const [subscriber, sees] of collections.get(collection) ?? []) {
        if (subscriber === sender) continue;
        // Who sees every row gets the change as it is, a delete too.
        if (!sees || (record.data && sees(record.id, record.data))) {
          whole ??= prepare(eventOf(change, true));
          subscriber.deliver(collection, whole);
        } else if (previous?.data && sees(record.id, previous.data)) {
          gone ??= prepare(eventOf(change, false));
          subscriber.deliver(collection, gone);
        }
      }
    },
  };
}
