import type { ChangeSink, SyncLayerError, Unsubscribe } from '../../src/adapter-kit/kit.js';
import { type LinkOptions, openLink } from './link.js';
import type { Model } from './model.js';
import type { Reads } from './reads.js';
import { openSubscription } from './subscription.js';

/** An open link, and what is subscribed to over it. In a chunk of its own: who only polls does not load it. */
export interface Live {
  readonly isOpen: boolean;
  subscribe(model: Model, sink: ChangeSink): Unsubscribe;
  /** Closes the link. `error`: what each subscription ends with; without it they end without a word. */
  end(error?: SyncLayerError): Promise<void>;
}

export interface LiveOptions extends Omit<LinkOptions, 'onLost'> {
  readonly reads: Reads;
  readonly subscribeTimeout: number;
}

/** Rejects if the link cannot be opened. Once it is lost, each subscription ends with why. */
export async function openLive({ reads, subscribeTimeout, ...options }: LiveOptions): Promise<Live> {
  const subscriptions = new Map<Unsubscribe, ChangeSink>();

  function endAll(error?: SyncLayerError): void {
    const ended = [...subscriptions];
    subscriptions.clear();
    for (const [stop, sink] of ended) {
      stop();
      if (error) sink.error(error);
    }
  }

  const link = await openLink({ ...options, onLost: endAll });
  return {
    get isOpen() {
      return link.isOpen;
    },
    subscribe(model, sink) {
      const stop = openSubscription({ link, model, reads, subscribeTimeout, sink });
      subscriptions.set(stop, sink);
      return () => {
        subscriptions.delete(stop);
        stop();
      };
    },
    end(error) {
      endAll(error);
      return link.close();
    },
  };
}
