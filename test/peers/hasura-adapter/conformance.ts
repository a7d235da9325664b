import { hasuraTransport } from '../../../adapters/hasura/index.js';
import type { HasuraCollection } from '../../../adapters/hasura/options.js';
import { marksSql } from '../../../src/adapter-kit/doctor/marks-sql.js';
import type { ConformanceOptions } from '../../../src/testing/index.js';
import { allowed, createHand, table, touch } from '../hasura/hand.js';
import { type HasuraProject, startHasuraProject } from '../hasura/project.js';

const soft = ['todos', 'notes'] as const;
const hard = ['tasks', 'memos'] as const;
const all = [...soft, ...hard];
/** Where rows are marked as deleted, writes leave their notes, too. */
const notes = { opId: 'op_id', editedAt: 'edited_at' };
const counting = { ...allowed, select: { columns: '*', filter: {}, allow_aggregations: true } } as const;

/** `fetch` without connections that stay open for later: they would look like something left behind. */
export const briefFetch: typeof fetch = (input, init) =>
  fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), connection: 'close' } });

/** Short, so that the suite need not wait for what a stream skips. */
const OVERLAP = 1000;

let project: HasuraProject;
export const startSuite = async (): Promise<void> => {
  project = await startHasuraProject({
    schema: [
      touch,
      ...all.map((name) => table(name, soft.includes(name as never))),
      ...soft.map((name) => marksSql({ table: name, ...notes })),
    ].join('\n'),
    permissions: { user: Object.fromEntries(all.map((name) => [name, counting])) },
    pollInterval: 40,
    pingInterval: 200,
  });
};
export const closeSuite = async (): Promise<void> => project?.close();

const variants: readonly {
  readonly name: string;
  readonly marks: boolean;
  readonly collection: HasuraCollection;
}[] = [
  { name: 'hasura, a stream, rows marked as deleted', marks: true, collection: { mode: 'stream' } },
  { name: 'hasura, a stream, rows deleted for good', marks: false, collection: { mode: 'stream', watchCount: true } },
  { name: 'hasura, a live query, rows marked as deleted', marks: true, collection: { mode: 'live' } },
  { name: 'hasura, a live query, rows deleted for good', marks: false, collection: { mode: 'live' } },
];

/** What the conformance suite and the convergence are told of each way to use the transport. Between `startSuite` and `closeSuite`. */
export const hasuraConformance: readonly ConformanceOptions[] = variants.map(({ name, marks, collection }) => {
  const names = marks ? soft : hard;
  const fields = ['text', 'done', 'count'];
  return {
    name,
    capabilities: {
      push: true,
      deletes: marks ? 'tombstones' : 'none',
      cursor: 'timestamp',
      reconnect: 'core',
      filters: false,
      ...(marks && { idempotent: true, editTimes: true }),
    },
    overlap: OVERLAP,
    backend: () => createHand(project, all, marks),
    create: () =>
      hasuraTransport({
        url: project.url,
        fetch: briefFetch,
        overlap: OVERLAP,
        heartbeatInterval: 400,
        requestTimeout: 1500,
        subscribeTimeout: 3000,
        collections: Object.fromEntries(
          names.map((each) => [each, { fields, ...collection, ...(marks && { deletedAt: 'deleted_at', ...notes }) }]),
        ),
      }),
    collections: names,
    auth: { valid: () => project.token(), invalid: 'eyJhbGciOiJIUzI1NiJ9.e30.hush' },
    refused: { text: 'refused', done: false, count: 0 },
    permissions: {
      revoke: (_, each) => project.permit('user', each, 'select', undefined),
      grant: (_, each) => project.permit('user', each, 'select', counting.select),
      async hideRow(_, each, id, hidden) {
        const filter = hidden ? { id: { _neq: id } } : {};
        await project.permit('user', each, 'select', { ...counting.select, filter });
        await project.permit('user', each, 'update', { ...counting.update, filter });
        await project.permit('user', each, 'delete', { filter });
      },
    },
  };
});
