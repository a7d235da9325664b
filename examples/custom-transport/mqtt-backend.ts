/**
 * A whole backend in one process: an MQTT broker, and a SQLite store that answers requests and tells of commits.
 * Run with `npx tsx mqtt-backend.ts [port] [file]`.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { Aedes } from 'aedes';
import type { OutgoingChange, Row } from 'synclayer/adapter-kit';
import { type Answers, type PushAnswer, type Reply, type Request, topics, type WireRecord } from './protocol.js';

export interface MqttBackendOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** The database file. Default: in memory. */
  readonly path?: string;
  /** Default `synclayer`. */
  readonly prefix?: string;
  /** Whether this token (the MQTT password) is let in. Default: everybody is. */
  readonly authenticate?: (token: string | undefined) => boolean;
  /** Whether clients may read this collection. Default: yes. */
  readonly mayRead?: (collection: string) => boolean;
  /** Why this row is not taken, where it is not. Default: every row is. */
  readonly refuse?: (collection: string, row: Row) => string | undefined;
}

const schema = `
  CREATE TABLE IF NOT EXISTS records (
    collection TEXT, id TEXT, seq INTEGER, time INTEGER, data TEXT, opId TEXT, PRIMARY KEY (collection, id));
  CREATE UNIQUE INDEX IF NOT EXISTS bySeq ON records (collection, seq);
  CREATE TABLE IF NOT EXISTS operations (opId TEXT PRIMARY KEY, seq INTEGER, time INTEGER);`;

/** Rows of a page of keys. */
const KEYS = 1000;

/** The data. `committed` is told of each commit, once it is durable. */
function openStore(
  path: string,
  refuse: NonNullable<MqttBackendOptions['refuse']>,
  committed: (collection: string, record: WireRecord) => void,
) {
  const db = new DatabaseSync(path);
  // One wait for the disk at each commit, not several.
  db.exec('PRAGMA journal_mode = WAL');
  db.exec(schema);
  const one = db.prepare('SELECT * FROM records WHERE collection = ? AND id = ?');
  const after = db.prepare('SELECT * FROM records WHERE collection = ? AND seq > ? ORDER BY seq LIMIT ?');
  const ids = db.prepare(
    'SELECT id, seq FROM records WHERE collection = ? AND id > ? AND data IS NOT NULL ORDER BY id LIMIT ?',
  );
  // A deleted record stays, as a tombstone with its number: clients that were away find it, and no number comes twice.
  const head = db.prepare('SELECT COALESCE(MAX(seq), 0) AS seq FROM records WHERE collection = ?');
  const put = db.prepare('INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?)');
  const done = db.prepare('SELECT seq, time FROM operations WHERE opId = ?');
  const note = db.prepare('INSERT INTO operations VALUES (?, ?, ?)');

  const toRecord = (found: Record<string, unknown>): WireRecord => ({
    id: String(found.id),
    seq: Number(found.seq),
    time: Number(found.time),
    data: JSON.parse(String(found.data)) as Row | null,
    ...(found.opId !== null && { opId: String(found.opId) }),
  });
  const get = (collection: string, id: string): WireRecord | undefined => {
    const found = one.get(collection, id);
    return found && toRecord(found);
  };

  function write(collection: string, id: string, data: Row | null, opId?: string): WireRecord {
    const seq = Number(head.get(collection)?.seq) + 1;
    const time = Date.now();
    db.exec('BEGIN');
    put.run(collection, id, seq, time, data && JSON.stringify({ ...data, id }), opId ?? null);
    if (opId !== undefined) note.run(opId, seq, time);
    db.exec('COMMIT');
    const record = get(collection, id) as WireRecord;
    committed(collection, record);
    return record;
  }

  function apply({
    type,
    collection,
    recordId,
    opId,
    baseVersion,
    data,
    patch,
    unset = [],
  }: OutgoingChange): PushAnswer {
    const known = done.get(opId);
    // A push whose answer was lost comes again, and is applied once.
    if (known) return { type: 'applied', seq: Number(known.seq), time: Number(known.time) };
    const current = get(collection, recordId);
    if ((current?.data ? current.seq : null) !== baseVersion)
      return { type: 'conflict', current: current ?? { id: recordId, seq: 0, time: 0, data: null } };
    const merged = Object.entries({ ...current?.data, ...patch }).filter(([field]) => !unset.includes(field));
    const row = type === 'update' ? Object.fromEntries(merged) : data;
    const message = row ? refuse(collection, row) : undefined;
    if (message !== undefined) return { type: 'rejected', message };
    const { seq, time } = write(collection, recordId, row, opId);
    return { type: 'applied', seq, time };
  }

  return {
    write,
    get,
    /** Everything that is not deleted, by id. */
    rows: (collection: string): Map<string, Row> =>
      new Map(
        after
          .all(collection, 0, -1)
          .map(toRecord)
          .flatMap(({ id, data }) => (data ? [[id, data] as const] : [])),
      ),
    answer(request: Request): Answers[keyof Answers] {
      switch (request.method) {
        case 'pull': {
          const records = after.all(request.collection, request.since, request.limit).map(toRecord);
          return { records, time: Date.now() };
        }
        case 'push':
          return { results: request.changes.map(apply) };
        case 'fetch':
          return { records: request.ids.flatMap((id) => get(request.collection, id) ?? []) };
        case 'keys': {
          const found = ids.all(request.collection, request.after, KEYS);
          return { keys: found.map(({ id, seq }) => ({ id: String(id), seq: Number(seq) })) };
        }
      }
    },
    close: () => db.close(),
  };
}

/**
 * Starts the broker and the store.
 *
 * @example
 * const backend = await startMqttBackend({ path: 'sync.db' });
 * backend.url; // mqtt://127.0.0.1:51234
 * backend.write('todos', '1', { text: 'Milk' }); // every client that watches sees it
 */
export async function startMqttBackend(options: MqttBackendOptions = {}) {
  const { prefix = 'synclayer', path = ':memory:', authenticate = () => true, refuse = () => undefined } = options;
  const { mayRead = () => true } = options;
  const { changes, requests, answers } = topics(prefix);

  function mayHear(clientId: string, topic: string): boolean {
    if (topic === answers(clientId)) return true;
    const name = topic.startsWith(changes('')) ? topic.slice(changes('').length) : '+';
    return !/[+#/]/.test(name) && mayRead(decodeURIComponent(name));
  }

  const broker = await Aedes.createBroker({
    authenticate: (_client, _user, password, done) => done(null, authenticate(password?.toString())),
    // A client asks in its own name only, hears only its own answers, and tells of no changes.
    authorizePublish: (client, { topic }, done) =>
      done(client && topic !== requests(client.id) ? new Error('This topic is not yours.') : null),
    authorizeSubscribe: (client, wanted, done) => done(null, mayHear(client.id, wanted.topic) ? wanted : null),
    // A right can be taken away while somebody is subscribed.
    authorizeForward: (client, packet) => (mayHear(client.id, packet.topic) ? packet : null),
  });

  /** The same QoS for all: where two are mixed one message overtakes another, and aedes drops that as a duplicate. */
  function say(topic: string, message: object): void {
    const packet = { cmd: 'publish', qos: 0, retain: false, dup: false } as const;
    broker.publish({ ...packet, topic, payload: JSON.stringify(message) }, () => undefined);
  }

  const store = openStore(path, refuse, (collection, record) => say(changes(collection), record));

  function reply(payload: string): Reply {
    let id = '';
    try {
      const request = JSON.parse(payload) as Request & { readonly id: string };
      ({ id } = request);
      if (request.method !== 'push' && !mayRead(request.collection)) {
        return { id, forbidden: `You may not read "${request.collection}".` };
      }
      return { id, answer: store.answer(request) };
    } catch (error) {
      return { id, error: (error as Error).message };
    }
  }

  broker.subscribe(
    requests('+'),
    ({ topic, payload }, done) => {
      say(answers(topic.slice(requests('').length)), reply(payload.toString()));
      done();
    },
    () => undefined,
  );

  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    /** Commits a whole row, in the backend's own name. */
    write: (collection: string, id: string, data: Row): WireRecord => store.write(collection, id, data),
    delete: (collection: string, id: string): WireRecord => store.write(collection, id, null),
    rows: store.rows,
    /** The broker itself: to look at it, and for tests that make it fail. */
    broker,
    get connections(): number {
      return sockets.size;
    },
    /** Breaks every connection. */
    cut(): void {
      for (const socket of sockets) socket.destroy();
    },
    async close(): Promise<void> {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => broker.close(resolve));
      // Those that have not said CONNECT yet.
      for (const socket of sockets) socket.destroy();
      await closed;
      store.close();
    },
  };
}

export type MqttBackend = Awaited<ReturnType<typeof startMqttBackend>>;

if (process.argv[1] === import.meta.filename) {
  const [, , port = '1883', path = 'mqtt.db'] = process.argv;
  const { url } = await startMqttBackend({ port: Number(port), path });
  console.log(`Listening on ${url}, data in ${path}.`);
}
