import { ok, unknown, wrong } from '../../../src/adapter-kit/doctor/check.js';
import type { Check } from '../../../src/adapter-kit/kit.js';

/** More than a slow answer explains, ms: a `Date` header has whole seconds. */
const TOLERANCE = 10_000;

/** This machine's clock beside that of a web server, by its `Date` header. */
export async function clockCheck(url: string, ms: number): Promise<Check> {
  const what = 'the clock of this machine is right';
  const date = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(ms) }).then(
    ({ headers }) => Date.parse(headers.get('date') ?? ''),
    () => Number.NaN,
  );
  const ahead = Date.now() - date;
  if (Number.isNaN(ahead)) return unknown(what, 'The server did not tell its time.');
  if (Math.abs(ahead) < TOLERANCE) return ok(what);
  return wrong(
    what,
    `It is ${Math.round(Math.abs(ahead) / 1000)} s ${ahead > 0 ? 'fast' : 'slow'}; let it set itself (NTP). A device whose clock is slow reads the newest documents again at each catch-up.`,
  );
}
