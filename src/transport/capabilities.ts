import type { RealtimeTransport, TransportCapabilities } from './transport.js';

/** What core may count on in one collection. */
export const capabilitiesOf = (transport: RealtimeTransport, collection: string): TransportCapabilities =>
  transport.capabilitiesOf?.(collection) ?? transport.capabilities;
