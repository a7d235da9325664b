import { createQueries, createStore } from 'tinybase';
import { LIMIT, type Subject, type Todo } from '../subject.js';

// A cell holds no array.
const cells = ({ id: _, tags, ...row }: Todo) => ({ ...row, tags: JSON.stringify(tags) });

/** TinyBase: a page is one transaction; a query and a listener for its sorted ids. */
export async function open(): Promise<Subject> {
  const store = createStore();
  const queries = createQueries(store);
  return {
    async load(pages) {
      for (const page of pages)
        store.transaction(() => {
          for (const row of page) store.setRow('todos', row.id, cells(row));
        });
    },
    async watch(onRows) {
      queries.setQueryDefinition('open', 'todos', ({ select, where }) => {
        for (const cell of ['text', 'done', 'updatedAt', 'tags']) select(cell);
        where('done', false);
      });
      const rows = (ids: readonly string[]) =>
        ids.map((id) => queries.getResultRow('open', id) as unknown as Pick<Todo, 'updatedAt'>);
      queries.addResultSortedRowIdsListener(
        'open',
        'updatedAt',
        true,
        0,
        LIMIT,
        (_, __, ___, ____, _____, ______, ids) => onRows(rows(ids)),
      );
      onRows(rows(queries.getResultSortedRowIds('open', 'updatedAt', true, 0, LIMIT)));
    },
    update: (todo) => void store.setRow('todos', todo.id, cells(todo)),
    close: async () => void store.delTables(),
  };
}
