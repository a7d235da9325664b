/** Phoenix's frames, version 1.0.0 (objects) and 2.0.0 (arrays, and binary for broadcasts). */

export type ProtocolVersion = '1.0.0' | '2.0.0';

export interface Incoming {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  readonly payload: unknown;
}

export interface Outgoing {
  readonly joinRef: string | null;
  readonly ref: string | null;
  readonly topic: string;
  readonly event: string;
  /** JSON. Text, since numbers of the database do not survive JavaScript's. */
  readonly payload: string;
}

export interface Broadcast {
  readonly topic: string;
  readonly event: string;
  /** JSON, or bytes. */
  readonly payload: string | Buffer;
  /** JSON. */
  readonly meta?: string;
}

const JSON_ENCODING = 1;
const USER_BROADCAST_PUSH = 3;
const USER_BROADCAST = 4;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOrNull = (value: unknown): string | null =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null;

function decodeText(text: string): Incoming | undefined {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  const [joinRef, ref, topic, event, payload] = Array.isArray(frame)
    ? frame
    : isRecord(frame)
      ? [frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload]
      : [];
  if (typeof topic !== 'string' || typeof event !== 'string') return undefined;
  return { joinRef: textOrNull(joinRef), ref: textOrNull(ref), topic, event, payload };
}

/** A client's broadcast, on version 2. */
function decodeBinary(bytes: Buffer): Incoming | undefined {
  if (bytes[0] !== USER_BROADCAST_PUSH || bytes.length < 7) return undefined;
  let at = 7;
  const [joinRef = '', ref = '', topic = '', event = ''] = [1, 2, 3, 4, 5].map((index) => {
    const length = bytes.readUInt8(index);
    at += length;
    return bytes.toString('utf8', at - length, at);
  });
  const body = bytes.subarray(at);
  const payload = bytes[6] === JSON_ENCODING ? JSON.parse(body.toString('utf8')) : body;
  return { joinRef, ref, topic, event: 'broadcast', payload: { type: 'broadcast', event, payload } };
}

/** Undefined for what is no frame. */
export const decodeFrame = (data: Buffer, binary: boolean): Incoming | undefined =>
  binary ? decodeBinary(data) : decodeText(data.toString('utf8'));

export function encodeFrame({ joinRef, ref, topic, event, payload }: Outgoing, version: ProtocolVersion): string {
  if (version === '2.0.0') {
    const head = [joinRef, ref, topic, event].map((part) => JSON.stringify(part)).join(',');
    return `[${head},${payload}]`;
  }
  const [reference, name, where] = [ref, event, topic].map((part) => JSON.stringify(part));
  return `{"ref":${reference},"event":${name},"payload":${payload},"topic":${where}}`;
}

/** A broadcast as the server sends it: binary on version 2, an object on version 1. */
export function encodeBroadcast({ topic, event, payload, meta }: Broadcast, version: ProtocolVersion): string | Buffer {
  if (version === '2.0.0') {
    const parts = [topic, event, meta ?? ''].map((part) => Buffer.from(part));
    const encoding = typeof payload === 'string' ? JSON_ENCODING : 0;
    const head = Buffer.from([USER_BROADCAST, ...parts.map((part) => part.length), encoding]);
    return Buffer.concat([head, ...parts, Buffer.from(payload)]);
  }
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload.toString('base64'));
  const extra = meta === undefined ? '' : `,"meta":${meta}`;
  const object = `{"event":${JSON.stringify(event)},"payload":${body},"type":"broadcast"${extra}}`;
  return encodeFrame({ joinRef: null, ref: null, topic, event: 'broadcast', payload: object }, version);
}
