import type { TransportHost } from './kit.js';

type Host = Pick<TransportHost, 'serverTime'>;

/**
 * The server's clock, in ms, which the host is given, too. `Date` has seconds only: our own time is taken where it fits into that
 * second. Undefined: a browser hides the header of another origin that does not name it in `Access-Control-Expose-Headers`.
 */
export function serverClock(response: Response, sentAt: number, host: Host): number | undefined {
  const second = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(second)) return undefined;
  host.serverTime?.(second, sentAt, 999);
  return Math.min(Math.max((sentAt + Date.now()) / 2, second), second + 999);
}

/**
 * What was written in answer to what was sent at `sentAt` shows the server's clock by its own stamp. Where the stamps of one
 * request differ the earliest is meant: a row that was stamped ahead of time before keeps a later one.
 */
export function clockOfWrites(
  written: readonly { readonly timestamp?: number | undefined }[],
  sentAt: number,
  host: Host,
): void {
  const times = written.flatMap(({ timestamp }) => timestamp ?? []);
  // Its microseconds were cut off.
  if (times.length > 0) host.serverTime?.(Math.min(...times), sentAt, 1);
}
