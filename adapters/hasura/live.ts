import {
  type ChangeSink,
  isSyncLayerError,
  type SubscribeRequest,
  type SyncLayerError,
  type TransportHost,
  type Unsubscribe,
} from '../../src/adapter-kit/kit.js';
import { createPatience, type Patience } from '../../src/adapter-kit/patience.js';
import { appLink, ask, type GraphqlClient, ownLink } from './link.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';
import { createPulse } from './pulse.js';
import type { Rest } from './rest.js';
import type { Tables } from './table.js';
import { watch } from './watch.js';

export { loadSdk } from './link.js';

interface Subscription {
  /** On the link of now, from the beginning. */
  begin(): void;
  end(error?: SyncLayerError): void;
}

/** The one link, and the subscriptions on it. */
export function createLive(options: ParsedOptions, host: () => TransportHost, tables: Tables, rest: Rest) {
  const subscriptions = new Set<Subscription>();
  const patiences = new Map<string, Patience>();

  function patienceWith(collection: string): Patience {
    const patience = patiences.get(collection) ?? createPatience();
    patiences.set(collection, patience);
    return patience;
  }

  function endAll(error?: SyncLayerError): void {
    pulse.stop();
    for (const { end } of [...subscriptions]) end(error);
  }

  const events = {
    heard: () => pulse.heard(),
    lost: endAll,
    renewed() {
      pulse.start();
      for (const { begin } of [...subscriptions]) begin();
    },
  };
  const link = options.client
    ? appLink(options.client as unknown as GraphqlClient, rest, events)
    : ownLink(options, rest, host, events);

  const pulse = createPulse(
    options.heartbeatInterval,
    async (signal) => {
      if (link.client) await ask(link.client, signal);
    },
    (cause) => {
      const silent = !isSyncLayerError(cause) || cause.code === 'CONNECT_FAILED';
      const message = `Hasura was silent, and did not answer within ${options.heartbeatInterval} ms; a new link is made.`;
      endAll(silent ? problem('HEARTBEAT_TIMEOUT', message, { cause }) : cause);
      void link.disconnect(true);
    },
  );

  return {
    async connect(signal: AbortSignal): Promise<void> {
      endAll(problem('CONNECTION_LOST', 'A new link to Hasura is being made.'));
      await link.connect(signal);
      pulse.start();
    },

    subscribe({ collection }: SubscribeRequest, sink: ChangeSink): Unsubscribe {
      const table = tables.get(collection);
      let over = false;
      let stop = (): void => undefined;
      const subscription: Subscription = {
        begin() {
          stop();
          const { client } = link;
          if (!client) return subscription.end(problem('CONNECTION_LOST', 'Hasura is not connected.'));
          const report = (error: SyncLayerError): void => host().report(error);
          if (table.mode === 'live') pulse.expectLarge();
          stop = watch({
            client,
            patience: patienceWith(collection),
            table,
            sink,
            rest,
            options,
            report,
            failed: (error) => subscription.end(link.judge(error)),
          });
        },
        end(error) {
          if (over) return;
          over = true;
          subscriptions.delete(subscription);
          stop();
          if (error) sink.error(error);
        },
      };
      subscriptions.add(subscription);
      // Not before the caller has what it needs to end it.
      queueMicrotask(() => over || subscription.begin());
      return () => subscription.end();
    },

    async disconnect(): Promise<void> {
      endAll();
      await link.disconnect();
    },
  };
}

export type Live = ReturnType<typeof createLive>;
