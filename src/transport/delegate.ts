import { createTokenSource } from './token.js';
import type { RealtimeTransport, TransportHost } from './transport.js';

/** A transport that does as `current()` does, but for what it does in a way of its own. */
export function delegate<Own extends Partial<RealtimeTransport>>(
  current: () => RealtimeTransport,
  own: Own,
): RealtimeTransport & Own {
  const same: RealtimeTransport = {
    get name() {
      return current().name;
    },
    get source() {
      return current().source as string;
    },
    get mapping() {
      const transport = current();
      return transport.mapping?.bind(transport);
    },
    get values() {
      const transport = current();
      return transport.values?.bind(transport);
    },
    // Both are asked each time: a transport may learn from its backend what it can do.
    get capabilities() {
      return current().capabilities;
    },
    get capabilitiesOf() {
      const transport = current();
      return transport.capabilitiesOf?.bind(transport);
    },
    // A transport may be a class: these are called apart from it.
    get fetch() {
      const transport = current();
      return transport.fetch?.bind(transport);
    },
    get keys() {
      const transport = current();
      return transport.keys?.bind(transport);
    },
    get count() {
      const transport = current();
      return transport.count?.bind(transport);
    },
    attach: (host) => current().attach?.(host),
    connect: (options) => current().connect(options),
    subscribe: (request, sink) => current().subscribe(request, sink),
    pull: (request) => current().pull(request),
    push: (changes, options) => current().push(changes, options),
    disconnect: async () => current().disconnect?.(),
    close: () => current().close(),
  };
  return Object.defineProperties(same, Object.getOwnPropertyDescriptors(own)) as RealtimeTransport & Own;
}

/** What one of several backends is given: its own token, where it has one. The app's would be another backend's. */
export function ownTokenFirst(host: TransportHost): TransportHost {
  const tokens = createTokenSource(undefined);
  return {
    ...host,
    // A memory of its own: what one of them refuses says nothing about the token of another.
    authToken: (own) => tokens.get(own ?? (() => host.authToken())),
    refused: tokens.refused,
    user: tokens.told,
    sessionChanged: () => host.sessionChanged?.(undefined),
  };
}
