import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { createTcpProxy } from '../../src/testing/tcp-proxy.js';

/** A row as apps see it. Every write of a run has a higher `count` than those before it. */
export interface Row {
  readonly text: string;
  readonly count: number;
}

/** `row: null` is a tombstone. */
export interface BackendRecord {
  readonly id: string;
  readonly row: Row | null;
  /** Counts the commits. */
  readonly seq: number;
  /** When its transaction began, in ms: not always the order of the commits. */
  readonly time: number;
}

/** Where a pull stands: a commit's number, or a row's time and id. */
export type Checkpoint = { readonly seq: number } | { readonly time: number; readonly id: string };

/** What subscribers are told of a commit. */
export interface BackendEvent {
  readonly record: BackendRecord;
  readonly checkpoint: Checkpoint;
  /** The row lacks the fields that did not change. */
  readonly partial?: true;
}

/** An edit by a version (`base`: null, it must not exist) or, as RxDB does it, by the state that it started from. */
export type Edit =
  | { readonly id: string; readonly row: Row | null; readonly opId: string; readonly base: number | null }
  | { readonly id: string; readonly row: Row | null; readonly assumed: Row | null };

/** What goes wrong, until it is set back. */
export interface BackendFaults {
  /** Each event goes through here, once per subscriber. */
  event: (event: BackendEvent, send: (event: BackendEvent) => void) => void;
  /** A subscription begins, and is acknowledged, when this resolves. */
  subscribe: () => Promise<void>;
  /** True: the push is committed and the connection dies before the answer. */
  loseAnswer: () => boolean;
}

export interface BackendOptions {
  /** What a checkpoint counts. */
  readonly cursor: 'sequence' | 'timestamp';
  /** What is left of a deleted row. */
  readonly deletes: 'tombstones' | 'none';
}

/** What a client sends: RxDB's own WebSocket replication names its methods `master...`. */
interface Message {
  readonly id: string;
  readonly collection?: string;
  readonly method: string;
  readonly params: readonly never[];
}

type Document = Row & { readonly id: string; readonly _deleted: boolean };

/** RxDB keeps the last fields of a deleted document. */
export const toDocument = ({ id, row }: Pick<BackendRecord, 'id' | 'row'>): Document => ({
  id,
  ...(row ?? { text: '', count: 0 }),
  _deleted: row === null,
});

const sameRow = (a: Row | null, b: Row | null): boolean => a?.text === b?.text && a?.count === b?.count;

/** One backend for all: rows in memory, over WebSockets, behind a TCP proxy that cuts. */
export async function startBackend({ cursor, deletes }: BackendOptions) {
  const records = new Map<string, BackendRecord>();
  const operations = new Map<string, BackendRecord>();
  const subscribers = new Set<(event: BackendEvent) => void>();
  const commits: BackendRecord[] = [];
  let requests = 0;
  const faults: BackendFaults = {
    event: (event, send) => send(event),
    subscribe: async () => undefined,
    loseAnswer: () => false,
  };

  const checkpointOf = ({ seq, time, id }: BackendRecord): Checkpoint =>
    cursor === 'sequence' ? { seq } : { time, id };

  function commit(id: string, row: Row | null, age = 0): BackendRecord {
    const record: BackendRecord = { id, row, seq: commits.length + 1, time: Date.now() - age };
    commits.push(record);
    if (row === null && deletes === 'none') records.delete(id);
    else records.set(id, record);
    const event: BackendEvent = { record, checkpoint: checkpointOf(record) };
    for (const send of [...subscribers]) faults.event(event, send);
    return record;
  }

  /** After `from`, in its order. */
  function pull(from: Checkpoint | null, limit: number): { records: BackendRecord[]; checkpoint: Checkpoint | null } {
    const isAfter = (record: BackendRecord): boolean => {
      if (!from) return true;
      if ('seq' in from) return record.seq > from.seq;
      return record.time > from.time || (record.time === from.time && record.id > from.id);
    };
    const order = (a: BackendRecord, b: BackendRecord): number =>
      cursor === 'sequence' ? a.seq - b.seq : a.time - b.time || (a.id < b.id ? -1 : 1);
    const page = [...records.values()].filter(isAfter).sort(order).slice(0, limit);
    const last = page.at(-1);
    return { records: page, checkpoint: last ? checkpointOf(last) : from };
  }

  /** Undefined: committed. Else the record that stood in the way. */
  function push(edit: Edit): { readonly applied?: BackendRecord; readonly conflict?: BackendRecord } {
    const current = records.get(edit.id) ?? { id: edit.id, row: null, seq: 0, time: 0 };
    if ('assumed' in edit) {
      // A write that was committed and comes again, since its answer was lost: to be recognised, says RxDB's documentation.
      if (sameRow(current.row, edit.row)) return { applied: current };
      if (!sameRow(current.row, edit.assumed)) return { conflict: current };
      return { applied: commit(edit.id, edit.row) };
    }
    const known = operations.get(edit.opId);
    if (known) return { applied: known };
    if ((current.row ? current.seq : null) !== edit.base) return { conflict: current };
    const applied = commit(edit.id, edit.row);
    operations.set(edit.opId, applied);
    return { applied };
  }

  const toAssumed = (document: Document | undefined): Row | null =>
    document && !document._deleted ? { text: document.text, count: document.count } : null;

  const methods: Readonly<Record<string, (...params: never[]) => unknown>> = {
    pull,
    push: (edits: readonly Edit[]) => edits.map(push),
    keys: () => [...records.values()].filter(({ row }) => row).map(({ id, seq }) => ({ id, seq })),
    fetch: (ids: readonly string[]) => ids.flatMap((id) => records.get(id) ?? []),
    masterChangesSince(from: Checkpoint | undefined, limit: number) {
      const page = pull(from ?? null, limit);
      return { documents: page.records.map(toDocument), checkpoint: page.checkpoint };
    },
    masterWrite: (rows: readonly { newDocumentState: Document; assumedMasterState?: Document }[]) =>
      rows.flatMap(({ newDocumentState, assumedMasterState }) => {
        const { id } = newDocumentState;
        const edit = { id, row: toAssumed(newDocumentState), assumed: toAssumed(assumedMasterState) };
        const { conflict } = push(edit);
        return conflict ? [toDocument(conflict)] : [];
      }),
  };

  function serve(socket: WebSocket): void {
    const say = (message: object): void => {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
    };
    async function subscribe({ id, collection, method }: Message): Promise<void> {
      await faults.subscribe();
      const send = (event: BackendEvent): void => {
        const { record, checkpoint } = event;
        const forRxdb = { documents: [toDocument(record)], checkpoint };
        say({ id: 'stream', collection, result: method === 'subscribe' ? event : forRxdb });
      };
      if (socket.readyState !== socket.OPEN) return;
      subscribers.add(send);
      socket.on('close', () => subscribers.delete(send));
      if (method === 'subscribe') say({ id, result: true });
    }
    // A connection that the proxy breaks.
    socket.on('error', () => undefined);
    socket.on('message', (text) => {
      const message = JSON.parse(String(text)) as Message;
      const { id, collection, method, params } = message;
      if (method === 'subscribe' || method === 'masterChangeStream$') {
        void subscribe(message);
        return;
      }
      requests += 1;
      const result = methods[method]?.(...params);
      if ((method === 'push' || method === 'masterWrite') && faults.loseAnswer()) socket.terminate();
      else say({ id, collection, result });
    });
  }

  let server: WebSocketServer | undefined;
  async function listen(): Promise<number> {
    const starting = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    starting.on('connection', serve);
    await new Promise((resolve) => starting.once('listening', resolve));
    server = starting;
    return (starting.address() as AddressInfo).port;
  }
  async function stop(): Promise<void> {
    for (const socket of server?.clients ?? []) socket.terminate();
    await new Promise((resolve) => server?.close(resolve));
  }
  const proxy = await createTcpProxy({ port: await listen() });

  return {
    url: `ws://127.0.0.1:${proxy.port}`,
    proxy,
    faults,
    commit,
    get requests(): number {
      return requests;
    },
    /** Clients that get events. */
    get subscribers(): number {
      return subscribers.size;
    },
    /** All commits, in order. */
    commits: commits as readonly BackendRecord[],
    /** What a device should show. */
    rows: (): Map<string, Row> =>
      new Map([...records.values()].flatMap(({ id, row }) => (row ? [[id, row] as const] : []))),
    stop,
    async start(): Promise<void> {
      proxy.retarget(await listen());
    },
    async close(): Promise<void> {
      await proxy.close();
      await stop();
    },
  };
}

export type Backend = Awaited<ReturnType<typeof startBackend>>;
