import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type RawData, WebSocket } from 'ws';
import type { SupabasePeer } from './index.js';

/** One line of what passed between clients and a real Realtime 2.122. */
export interface Entry {
  readonly dir: 'c>s' | 's>c' | 'sql';
  readonly conn?: number;
  readonly kind?: 'upgrade' | 'upgraded' | 'text' | 'binary' | 'post' | 'http' | 'close';
  /** When, in seconds since 1970: what tells a token that had expired. */
  readonly at?: number;
  readonly url?: string;
  readonly raw?: string;
  readonly hex?: string;
  readonly status?: number;
  readonly body?: string;
  readonly q?: string;
  /** What Postgres said to the line before. */
  readonly error?: string;
}

export function readEntries(name: string): Entry[] {
  const text = readFileSync(new URL(`fixtures/realtime/${name}.jsonl`, import.meta.url), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Entry]));
}

interface Socket {
  readonly socket: WebSocket;
  /** What has come in for each topic and was not asked for yet. */
  readonly inbox: Map<string, string[]>;
  readonly refusal: Promise<{ readonly status: number; readonly body: string }>;
}

/** How long a frame may take, in ms, before it counts as missing. */
const PATIENCE = 5_000;
const GENERATED = /(?!1{8}|2{8})[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const RECORDED_DAY = '2026-11-22';

/** A binary frame in words; the first byte is its kind. */
function describeBinary(bytes: Buffer): { readonly topic: string; readonly text: string } {
  const [, topicLength = 0, event = 0, meta = 0, encoding] = bytes;
  const at = 5 + topicLength;
  const parts = [bytes.subarray(at, at + event), bytes.subarray(at + event, at + event + meta)].map(String);
  const payload = bytes.subarray(at + event + meta);
  const body = encoding === 1 ? payload.toString('utf8') : payload.toString('hex');
  const topic = bytes.toString('utf8', 5, at);
  return { topic, text: JSON.stringify({ kind: bytes[0], encoding, topic, parts, body }) };
}

function topicOf(raw: string): string {
  const [, topic] = /^\[[^,]*,[^,]*,"([^"]*)"/.exec(raw) ?? /"topic":"([^"]*)"\}$/.exec(raw) ?? [];
  return topic ?? '';
}

/** Where a recorded frame was cut short. */
const ELIDED = '<elided>';

const sorted = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** A replayed broadcast has been through Elixir's maps: the order of its keys is not the database's. */
const unordered = (frame: string): string =>
  frame.includes('"replayed":true') ? JSON.stringify(JSON.parse(frame), sorted) : frame;

/** Leaves out what differs from run to run, and nothing else: the text of a frame counts, to the last digit and space. */
function createNormalizer(days: readonly string[]): (frame: string) => string {
  const ids = new Map<string, string>();
  const named = (id: string): string => {
    const name = ids.get(id) ?? `#${ids.size + 1}`;
    ids.set(id, name);
    return name;
  };
  const time = new RegExp(`(?:${days.join('|')})T\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|\\+00:00)`, 'g');
  return (frame) =>
    unordered(frame)
      .replace(time, '<time>')
      .replace(GENERATED, '<uuid>')
      .replace(/expired \d+ seconds ago/, 'expired <some> seconds ago')
      .replace(/\{"id":(\d+)(?=[,}])/g, (_, id: string) => `{"id":${named(id)}`)
      .replace(/"ids":\[([\d,]*)\]/, (_, list: string) => `"ids":[${list.split(',').map(named).sort().join(',')}]`);
}

/**
 * Plays a recording's clients against the peer, and its SQL, one line after the other: a line is played once all that was
 * recorded before it has come in. Frames of one topic have to come in order. Gives pairs of what came and what had come.
 */
export async function replayFrames(
  peer: SupabasePeer,
  entries: readonly Entry[],
): Promise<{ readonly real: readonly string[]; readonly peer: readonly string[] }> {
  const sockets = new Map<number, Socket>();
  // It may be midnight before it is over.
  const [today, tomorrow] = [0, 86_400_000].map((ms) => new Date(Date.now() + ms).toISOString().slice(0, 10));
  const days = [RECORDED_DAY, today ?? '', tomorrow ?? ''];
  const [normalizeReal, normalizePeer] = [createNormalizer(days), createNormalizer(days)];
  const result: { real: string[]; peer: string[] } = { real: [], peer: [] };
  const compare = (conn: number | undefined, real: string, got: string): void => {
    const [recorded = ''] = real.split(ELIDED, 1);
    result.real.push(`${conn}: ${normalizeReal(recorded)}`);
    result.peer.push(`${conn}: ${normalizePeer(real.includes(ELIDED) ? got.slice(0, recorded.length) : got)}`);
  };

  const withTokens = async (text: string, at = 0): Promise<string> => {
    let made = text;
    for (const [whole, kind, description = ''] of text.matchAll(/(JWT|FORGED)\(([^)]*)\)/g)) {
      const { exp, ...rest } = Object.fromEntries(description.split(',').map((part) => part.split('=', 2))) as {
        exp?: string;
      };
      const until = exp === undefined ? undefined : Math.floor(Date.now() / 1000) + (Number(exp) - at);
      const token = await peer.token({ role: undefined, exp: until, ...rest });
      made = made.replace(whole, kind === 'JWT' ? token : `${token.slice(0, -4)}AAAA`);
    }
    return made;
  };

  const open = (url: string): Socket => {
    const socket = new WebSocket(`${peer.url.replace('http', 'ws')}${url}`);
    const inbox = new Map<string, string[]>();
    socket.on('message', (data: RawData, binary) => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.concat([Buffer.from(data as ArrayBuffer)]);
      const { topic, text } = binary
        ? describeBinary(bytes)
        : { topic: topicOf(bytes.toString()), text: bytes.toString() };
      inbox.set(topic, [...(inbox.get(topic) ?? []), text]);
      socket.emit('filed');
    });
    socket.on('error', () => {});
    const refusal = new Promise<{ status: number; body: string }>((resolve) => {
      socket.on('unexpected-response', (_, response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += String(chunk);
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
    });
    return { socket, inbox, refusal };
  };

  const next = async ({ socket, inbox }: Socket, topic: string): Promise<string> => {
    const deadline = AbortSignal.timeout(PATIENCE);
    for (;;) {
      const [first, ...rest] = inbox.get(topic) ?? [];
      if (first !== undefined) {
        inbox.set(topic, rest);
        return first;
      }
      const filed = await once(socket, 'filed', { signal: deadline }).catch(() => undefined);
      if (filed === undefined) return '(nothing)';
    }
  };

  const play = async (entry: Entry, following: Entry | undefined): Promise<void> => {
    const { dir, conn = 0, kind, raw = '', hex = '', q } = entry;
    if (dir === 'sql') {
      if (q === undefined) return;
      const outcome = await peer.sql(q).then(
        () => undefined,
        (cause: unknown) => String(cause instanceof Error ? cause.message : cause),
      );
      // What nobody was subscribed to then must not reach who subscribes next.
      await peer.delivered();
      if (following?.error !== undefined || outcome !== undefined) compare(0, following?.error ?? q, outcome ?? q);
      return;
    }
    if (kind === 'upgrade') {
      sockets.set(conn, open(await withTokens(entry.url ?? '', entry.at)));
      return;
    }
    const client = sockets.get(conn);
    if (client === undefined) return;
    const { socket } = client;
    if (kind === 'upgraded' && socket.readyState !== WebSocket.OPEN) await once(socket, 'open');
    if (kind === 'http') {
      const { status, body } = await client.refusal;
      compare(conn, `${entry.status} ${entry.body}`, `${status} ${body}`);
    }
    if (kind === 'post') {
      const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${peer.serviceKey}` };
      const response = await fetch(`${peer.url}${entry.url}`, { method: 'POST', headers, body: entry.body ?? '' });
      compare(conn, String(entry.status), String(response.status));
      return;
    }
    if (kind === 'text' && dir === 'c>s') socket.send(await withTokens(raw, entry.at));
    if (kind === 'binary' && dir === 'c>s') socket.send(Buffer.from(hex, 'hex'));
    if (kind === 'text' && dir === 's>c') compare(conn, raw, await next(client, topicOf(raw)));
    if (kind === 'binary' && dir === 's>c') {
      const { topic, text } = describeBinary(Buffer.from(hex, 'hex'));
      compare(conn, text, await next(client, topic));
    }
    if (kind === 'close' && dir === 'c>s') socket.close();
    if (kind === 'close' && dir === 's>c' && socket.readyState !== WebSocket.CLOSED) await once(socket, 'close');
  };

  try {
    for (const [index, entry] of entries.entries()) await play(entry, entries[index + 1]);
    for (const [conn, { inbox }] of sockets)
      for (const text of [...inbox.values()].flat()) compare(conn, '(nothing)', text);
    return result;
  } finally {
    for (const { socket } of sockets.values()) socket.terminate();
  }
}
