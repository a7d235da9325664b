import { type Check, joined, type RealtimeTransport, type TransportHost } from '../kit.js';
import { ok, wordsOf, wrong } from './check.js';

/** Whether a collection's subscription becomes live. `fixOf`: what to do, by the words of the failure. */
export function isLive(
  transport: RealtimeTransport,
  collection: string,
  what: string,
  fixOf: (message: string) => readonly string[] = (message) => [message],
): Promise<Check> {
  return new Promise((resolve) => {
    const end = transport.subscribe(
      { collection },
      {
        change: () => undefined,
        gap: () => undefined,
        live: () => done(ok(what)),
        error: ({ message }) => done(wrong(what, ...fixOf(message))),
      },
    );
    function done(check: Check): void {
      resolve(check);
      // A subscription may fail before `end` is there.
      queueMicrotask(() => end());
    }
  });
}

/**
 * What an app does: a link, and on it the subscription of each collection. `link` and `served` are what is looked at, `fix` is for a link
 * that cannot be opened within `timeout` ms.
 */
export async function* liveChecks(
  transport: RealtimeTransport,
  host: TransportHost,
  collections: readonly string[],
  { timeout, link, fix, served }: Readonly<Record<'link' | 'fix' | 'served', string>> & { readonly timeout: number },
): AsyncGenerator<Check> {
  transport.attach?.(host);
  try {
    await joined([], (signal) => transport.connect({ signal }), timeout);
    yield ok(link);
    for (const name of collections) yield await isLive(transport, name, `${name}: ${served}`);
  } catch (thrown) {
    yield wrong(link, wordsOf(thrown), fix);
  } finally {
    await transport.close();
  }
}
