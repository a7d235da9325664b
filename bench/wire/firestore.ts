import { deleteApp, type FirebaseApp, initializeApp } from 'firebase/app';
import {
  collection,
  connectFirestoreEmulator,
  disableNetwork,
  doc,
  enableNetwork,
  type Firestore,
  getDocFromServer,
  getFirestore,
  onSnapshot,
  setLogLevel,
} from 'firebase/firestore';
import { firestoreTransport } from '../../adapters/firestore/index.js';
import { startEmulator } from '../../test/peers/firestore/start-emulator.js';
import { idOf, type Receiver, ROWS, type Stage, template, waiter, watched } from './receiver.js';

interface Time {
  readonly seconds: string;
  readonly nanos: number;
}

interface Message {
  readonly targetChange?: { readonly targetIds: readonly number[]; readonly readTime: Time | null };
  readonly documentChange?: {
    readonly document: { readonly name: string; readonly fields: Readonly<Record<string, object>> };
  };
}

/** What is used of the generated client below the SDK, which talks gRPC in Node. */
interface Stub {
  Listen(...args: readonly unknown[]): NodeJS.EventEmitter;
  readonly constructor: {
    readonly service: {
      readonly Listen: {
        responseSerialize(message: Message): Buffer;
        responseDeserialize(bytes: Buffer): Message;
      };
    };
  };
}

/**
 * Microseconds since 1970, each call later than the one before: the SDK passes over a snapshot that is older than its last. Far from
 * now, so that what the server still sends by itself is passed over, and not what is replayed.
 */
let last = (Date.now() + 3_600_000) * 1000;
function nextTime(): Time {
  last += 1;
  return { seconds: String(Math.floor(last / 1e6)), nanos: (last % 1e6) * 1000 };
}

/** An SDK, with a hand on the stream from the server. */
async function tapped(projectId: string, port: number) {
  const app: FirebaseApp = initializeApp({ projectId, apiKey: 'none' }, crypto.randomUUID());
  const db: Firestore = getFirestore(app);
  connectFirestoreEmulator(db, '127.0.0.1', port);
  // It connects when it is first needed.
  await getDocFromServer(doc(db, 'todos/row-0'));
  const { _onlineComponents } = (db as unknown as { _firestoreClient: Record<'_onlineComponents', unknown> })
    ._firestoreClient;
  const { connection } = (_onlineComponents as { datastore: { connection: { ensureActiveStub(): Stub } } }).datastore;
  const stub = connection.ensureActiveStub();
  const { responseSerialize, responseDeserialize } = stub.constructor.service.Listen;
  const listen = stub.Listen.bind(stub);
  const messages: Message[] = [];
  let stream: NodeJS.EventEmitter | undefined;
  stub.Listen = (...args) => {
    stream = listen(...args).on('data', (message: Message) => void messages.push(message));
    return stream;
  };
  await disableNetwork(db);
  await enableNetwork(db);

  async function receiver(
    change: () => unknown,
    told: Receiver['told'],
    close: () => Promise<unknown>,
  ): Promise<Receiver> {
    // Of pulls.
    messages.length = 0;
    const first = await template(messages, change, ({ documentChange }) => {
      const { text } = (documentChange?.document.fields ?? {}) as { text?: { stringValue?: string } };
      return text?.stringValue === 'Changed';
    });
    // The change itself, and what says that this is all up to a time.
    const then = await template(
      messages,
      () => undefined,
      ({ targetChange }) => targetChange?.targetIds.length === 0 && targetChange.readTime !== null,
    );
    const { documentChange } = first as { documentChange: NonNullable<Message['documentChange']> };
    const { document } = documentChange;
    return {
      frame(count) {
        const at = nextTime();
        const name = document.name.replace(/[^/]+$/, idOf(count));
        const fields = {
          ...document.fields,
          count: { valueType: 'integerValue', integerValue: String(count) },
          updatedAt: { valueType: 'timestampValue', timestampValue: at },
        };
        const changed = { ...document, name, fields, updateTime: at };
        const bytes = [
          { ...first, documentChange: { ...documentChange, document: changed } },
          { ...then, targetChange: { ...then.targetChange, readTime: at } as Message['targetChange'] } as Message,
        ].map(responseSerialize);
        return {
          parse: () => bytes.map(responseDeserialize),
          arrive() {
            for (const each of bytes) stream?.emit('data', responseDeserialize(each));
          },
        };
      },
      told,
      async close() {
        await close();
        await deleteApp(app);
      },
    };
  }
  return { db, receiver };
}

/** Beside the callback of a bare `onSnapshot`. A frame is what comes of one change by gRPC: two messages, in protobuf. */
export async function firestore(): Promise<Stage> {
  setLogLevel('silent');
  const emulator = await startEmulator();
  const hand = emulator.project('bench');
  const row = (index: number) => ({ text: `Task ${index}`, done: false, count: 0 });
  await hand.writeAll(new Map(Array.from({ length: ROWS }, (_, index) => [`todos/${idOf(index)}`, row(index)])));
  const change = (): Promise<void> => hand.write('todos/row-0', { text: 'Changed', done: false, count: 1 });
  const [mine, theirs] = [await tapped('bench', emulator.port), await tapped('bench', emulator.port)];
  const [my, their] = [waiter(), waiter()];
  const sync = await watched(firestoreTransport({ firestore: mine.db }), my.saw);
  let stop = (): void => undefined;
  await new Promise<void>((live) => {
    stop = onSnapshot(collection(theirs.db, 'todos'), (snapshot) => {
      if (!snapshot.metadata.fromCache) live();
      for (const each of snapshot.docChanges()) their.saw(each.doc.data().count);
    });
  });
  return {
    ours: await mine.receiver(change, my.told, () => sync.close()),
    bare: await theirs.receiver(change, their.told, async () => stop()),
    slow: true,
    close: () => emulator.close(),
  };
}
