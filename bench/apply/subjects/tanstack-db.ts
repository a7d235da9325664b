import { BTreeIndex, createCollection, createLiveQueryCollection, eq, type SyncConfig } from '@tanstack/db';
import { LIMIT, type Subject, type Todo } from '../subject.js';

/** TanStack DB with a sync function, and indexes for what the query sorts and filters by. */
export async function open(): Promise<Subject> {
  let sync: Parameters<SyncConfig<Todo, string>['sync']>[0] | undefined;
  const todos = createCollection<Todo, string>({
    id: 'todos',
    getKey: ({ id }) => id,
    startSync: true,
    autoIndex: 'eager',
    defaultIndexType: BTreeIndex,
    sync: {
      sync(given) {
        sync = given;
      },
    },
  });
  todos.createIndex((row) => row.updatedAt, { indexType: BTreeIndex });
  const commit = (type: 'insert' | 'update', rows: readonly Todo[]): void => {
    sync?.begin();
    for (const value of rows) sync?.write({ type, value });
    sync?.commit();
  };
  return {
    async load(pages) {
      for (const page of pages) commit('insert', page);
      sync?.markReady();
      await todos.preload();
    },
    async watch(onRows) {
      const open = createLiveQueryCollection((query) =>
        query
          .from({ todo: todos })
          .where(({ todo }) => eq(todo.done, false))
          .orderBy(({ todo }) => todo.updatedAt, 'desc')
          .limit(LIMIT),
      );
      await open.preload();
      open.subscribeChanges(() => onRows(open.toArray));
      onRows(open.toArray);
    },
    update: (todo) => commit('update', [todo]),
    close: () => todos.cleanup(),
  };
}
