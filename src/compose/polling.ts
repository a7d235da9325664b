import { SyncLayerError } from '../base/errors.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import { delegate } from '../transport/delegate.js';
import type { RealtimeTransport } from '../transport/transport.js';

/**
 * A transport without its live link: what can be pulled is pulled, every `syncInterval` of the configuration. For a
 * network that lets no socket through, a backend whose live part is not set up, or to compare. What the transport pulls
 * without a link it must be told: a `websocketTransport` needs its `baseUrl`.
 *
 * @example
 * const sync = await createSyncLayer({
 *   transport: pollingTransport(supabaseTransport({ url, key })),
 *   syncInterval: 2000,
 *   collections: ['todos'],
 * });
 */
export const pollingTransport = (transport: RealtimeTransport): RealtimeTransport =>
  delegate(() => transport, {
    get capabilities() {
      return { ...transport.capabilities, live: false };
    },
    capabilitiesOf: (collection) => ({ ...capabilitiesOf(transport, collection), live: false }),
    async connect() {
      const message = `${transport.name} is only polled here. For a live link give it to createSyncLayer without pollingTransport(...).`;
      throw new SyncLayerError('UNSUPPORTED', message, { adapter: transport.name });
    },
    // Nobody asks for it without a link.
    subscribe: () => () => undefined,
  });
