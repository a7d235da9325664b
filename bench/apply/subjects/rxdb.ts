import { createRxDatabase, type RxReplicationPullStreamItem } from 'rxdb/plugins/core';
import { replicateRxCollection } from 'rxdb/plugins/replication';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { Subject as Stream } from 'rxjs';
import { LIMIT, PAGE, type Subject, type Todo } from '../subject.js';

const schema = {
  version: 0,
  primaryKey: 'id',
  type: 'object',
  properties: {
    id: { type: 'string', maxLength: 20 },
    text: { type: 'string' },
    done: { type: 'boolean' },
    updatedAt: { type: 'number', minimum: 0, maximum: 1e13, multipleOf: 1 },
    tags: { type: 'array', items: { type: 'string' } },
  },
  required: ['id', 'text', 'done', 'updatedAt'],
  indexes: [['done', 'updatedAt']],
} as const;

/** RxDB, as its documentation has it: memory storage, a replication with a stream, an index for the query. */
export async function open(): Promise<Subject> {
  const database = await createRxDatabase({ name: 'bench', storage: getRxStorageMemory(), multiInstance: false });
  const { todos } = await database.addCollections({ todos: { schema } });
  if (!todos) throw new Error('RxDB gave no collection.');
  const stream$ = new Stream<RxReplicationPullStreamItem<Todo, number>>();
  let count = 0;
  return {
    async load(from) {
      const pages = from[Symbol.iterator]();
      const replication = replicateRxCollection<Todo, number>({
        collection: todos as never,
        replicationIdentifier: 'bench',
        live: true,
        pull: {
          batchSize: PAGE,
          stream$: stream$.asObservable(),
          async handler() {
            const page = pages.next();
            const rows = page.done ? [] : page.value;
            count += rows.length;
            return { documents: rows.map((row) => ({ ...row, _deleted: false })), checkpoint: count };
          },
        },
      });
      await replication.awaitInitialReplication();
    },
    async watch(onRows) {
      const query = todos.find({ selector: { done: false }, sort: [{ updatedAt: 'desc' }], limit: LIMIT });
      await new Promise<void>((told) => {
        query.$.subscribe((documents) => {
          onRows(documents as unknown as Todo[]);
          told();
        });
      });
    },
    update: (todo) => stream$.next({ documents: [{ ...todo, _deleted: false }], checkpoint: ++count }),
    close: async () => void (await database.close()),
  };
}
