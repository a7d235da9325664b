import { createSyncLayer, type RealtimeTransport } from '../../../src/index.js';
import { LIMIT, type Subject, type Todo } from '../subject.js';

type Sink = Parameters<RealtimeTransport['subscribe']>[1];

const insert = (data: Todo) =>
  ({ type: 'insert', collection: 'todos', recordId: data.id, data, version: data.updatedAt }) as const;

/** Pages come by `pull`, changes by the subscription, as from any backend. */
export async function open(): Promise<Subject> {
  let pages: Iterator<Todo[]> = [][Symbol.iterator]();
  let sink: Sink | undefined;
  const transport: RealtimeTransport = {
    name: 'bench',
    capabilities: { push: false, deletes: 'tombstones', cursor: 'sequence', reconnect: 'core', filters: false },
    connect: async () => undefined,
    subscribe(_, to) {
      sink = to;
      queueMicrotask(() => to.live());
      return () => undefined;
    },
    async pull() {
      const page = pages.next();
      return { changes: page.done ? [] : page.value.map(insert), cursor: 0 };
    },
    push: () => Promise.reject(new Error('It is read-only.')),
    close: async () => undefined,
  };
  let sync: Awaited<ReturnType<typeof createSyncLayer>> | undefined;
  return {
    async load(from) {
      pages = from[Symbol.iterator]();
      sync = await createSyncLayer({ transport, collections: ['todos'] });
      if (sync.status.phase !== 'live') await sync.events.once('statusChanged', ({ phase }) => phase === 'live');
    },
    async watch(onRows) {
      const open = sync?.collection<Todo>('todos').where('done', '==', false).orderBy('updatedAt', 'desc').limit(LIMIT);
      await new Promise<void>((told) => {
        open?.watch((rows) => {
          onRows(rows);
          told();
        });
      });
    },
    update: (data) => sink?.change({ ...insert(data), type: 'update' }),
    close: async () => sync?.close(),
  };
}
