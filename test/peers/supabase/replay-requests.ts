import { readFileSync } from 'node:fs';
import type { SupabasePeer } from './index.js';

/** A request, and what a real PostgREST 14.17 answered. */
export interface Exchange {
  readonly label: string;
  /** When, as the server's `Date` header said it. */
  readonly date: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly status: number;
  readonly answer: Readonly<Record<string, string>>;
  readonly response: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export function readExchanges(name: string): Exchange[] {
  const text = readFileSync(new URL(`fixtures/postgrest/${name}.jsonl`, import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Exchange]));
}

const HEADERS = ['content-range', 'preference-applied', 'proxy-status', 'www-authenticate'];
const TIME = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?\+00(?::00)?/g;
/** Times that the server made, rather than the client's. */
const isMade = (time: string, days: readonly string[]): boolean => days.some((day) => time.startsWith(day));

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** Bodies are compared as text where they are rows, since the digits of numbers count. */
function bodyOf(text: string, made: readonly string[]): unknown {
  const timeless = text.replace(TIME, (time) => (isMade(time, made) ? '<time>' : time));
  if (!timeless.startsWith('{"code"')) return timeless;
  const error: Record<string, unknown> = JSON.parse(timeless);
  // The words of a parser about what it expected are its own.
  return error.code === 'PGRST100' ? { code: error.code } : error;
}

export interface Replay {
  /** What the real server answered, and what the peer answers, both without times. */
  run(exchange: Exchange): Promise<{ readonly real: Answer; readonly peer: Answer }>;
}

/** Sends recorded requests to the peer. Tokens are made anew, and times that the server gave go back as the peer gave them. */
export function createReplay(peer: SupabasePeer): Replay {
  const times = new Map<string, string>();

  const tokenOf = async (description: string, recorded: string): Promise<string> => {
    const claims = Object.fromEntries(description.split(',').map((part) => part.split('=', 2)));
    const { exp, ...rest } = claims as { exp?: string };
    const at = Date.parse(recorded) / 1000;
    const expired = exp !== undefined && Number(exp) <= at;
    return peer.token({ role: 'anon', ...rest }, expired ? { expiresIn: Number(exp) - at } : {});
  };

  const headersOf = async ({ headers, date }: Exchange): Promise<Record<string, string>> => {
    const described = /JWT\(([^)]*)\)/.exec(headers.authorization ?? '')?.[1];
    if (described === undefined) return { ...headers };
    return { ...headers, authorization: `Bearer ${await tokenOf(described, date)}` };
  };

  const pathOf = (path: string): string => {
    let known = path;
    for (const [recorded, given] of times)
      known = known
        .replaceAll(encodeURIComponent(recorded), encodeURIComponent(given))
        .replaceAll(recorded, encodeURIComponent(given));
    return known;
  };

  return {
    run: async (exchange) => {
      const { method, path, body, date } = exchange;
      const init = { method, headers: await headersOf(exchange), ...(body === undefined ? {} : { body }) };
      const response = await fetch(`${peer.url}${pathOf(path)}`, init);
      const text = await response.text();
      const recorded = Date.parse(date);
      // The row may be from before midnight, and the answer from after it.
      const made = [day(recorded), day(Date.now()), day(Date.now() - 60_000)];
      const given = text.match(TIME) ?? [];
      for (const [index, time] of (exchange.response.match(TIME) ?? []).entries()) {
        const own = given[index];
        if (own !== undefined && isMade(time, made)) times.set(time, own);
      }
      const headers = HEADERS.flatMap((name) => {
        const value = response.headers.get(name);
        return value === null ? [] : [[name, value]];
      });
      return {
        real: { status: exchange.status, headers: exchange.answer, body: bodyOf(exchange.response, made) },
        peer: { status: response.status, headers: Object.fromEntries(headers), body: bodyOf(text, made) },
      };
    },
  };
}
