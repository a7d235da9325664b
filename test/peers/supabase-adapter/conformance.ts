import { supabaseTransport } from '../../../adapters/supabase/index.js';
import type { SupabaseTransportOptions } from '../../../adapters/supabase/options.js';
import { marksSql } from '../../../src/adapter-kit/doctor/marks-sql.js';
import type { ConformanceBackend, ConformanceOptions } from '../../../src/testing/index.js';
import { briefFetch, type Project, startProject, table, touch } from './peer.js';

const soft = ['todos', 'notes'] as const;
const hard = ['tasks', 'memos'] as const;
const all = [...soft, ...hard];
/** Where rows are marked as deleted, writes leave their notes, too. */
const notes = { opId: 'op_id', editedAt: 'edited_at' };
/** A broadcast by a trigger, to a topic of the table's name. */
const broadcasts = `
  create function announce() returns trigger security definer language plpgsql as $$
  begin
    perform realtime.broadcast_changes(tg_table_name, tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
    return null;
  end $$;
  ${hard.map((name) => `create trigger announce after insert or update or delete on ${name} for each row execute function announce();`).join('\n')}
  create policy listen on realtime.messages for select to anon, authenticated using (true);
`;

let project: Project;
export const startSuite = async (): Promise<void> => {
  project = await startProject({
    schema: [
      touch,
      ...all.map((name) => table(name, soft.includes(name as never))),
      ...soft.map((name) => marksSql({ table: name, ...notes })),
      broadcasts,
    ].join('\n'),
  });
};
export const closeSuite = async (): Promise<void> => project?.close();

/** The project, empty, for one scenario. */
async function emptied(marks: boolean): Promise<ConformanceBackend> {
  const { proxy, sql } = project;
  proxy.set({ blackHole: false });
  await sql(`truncate ${all.join(', ')}`);
  for (const name of all) await sql(`grant all on ${name} to anon, authenticated`);
  return {
    async write(collection, id, { text, done, count }, { age = 0 } = {}) {
      const [row] = await sql(
        `with age as materialized (select set_config('test.age', $5 || ' milliseconds', false))
         insert into ${collection} (id, text, done, count) select $1, $2, $3, $4 from age
         on conflict (id) do update set text = excluded.text, done = excluded.done, count = excluded.count${marks ? ', deleted_at = null' : ''}
         returning id`,
        [id, text, done, count, String(age)],
      );
      if (row?.id !== id) throw new Error(`The write of ${id} gave ${JSON.stringify(row)}.`);
    },
    async delete(collection, id) {
      if (marks) await sql(`update ${collection} set deleted_at = now() where id = $1`, [id]);
      else {
        const [at] = await sql(
          `with gone as (delete from ${collection} where id = $1) select pg_current_wal_lsn()::text as lsn`,
          [id],
        );
        // Realtime sends an event some time after the commit, to whoever listens by then: it is over when it has read on.
        for (let look = 0; look < 20; look++) {
          const [slots] = await sql(
            'select bool_and(confirmed_flush_lsn > $1::pg_lsn) as passed from pg_replication_slots',
            [at?.lsn],
          );
          if (slots?.passed !== false) break;
        }
      }
    },
    async read(collection) {
      const rows = await sql(
        `select id, text, done, count::float8 from ${collection}${marks ? ' where deleted_at is null' : ''}`,
      );
      return new Map(rows.map((row) => [row.id as string, { ...row, count: Number(row.count) }]));
    },
    cut: async () => proxy.cut({ reset: true }),
    hang: async (on) => proxy.set({ blackHole: on }),
    async restart() {
      await proxy.refuse();
      proxy.cut();
      await project.killRealtime('restart');
      await project.restartPostgres();
      await project.startRealtime();
      await proxy.accept();
    },
    async close() {
      proxy.set({ blackHole: false });
    },
  };
}

const variants: readonly {
  readonly name: string;
  readonly marks: boolean;
  readonly options: SupabaseTransportOptions;
}[] = [
  { name: 'supabase, rows marked as deleted', marks: true, options: {} },
  { name: 'supabase, rows deleted for good', marks: false, options: {} },
  { name: 'supabase, broadcast from the database', marks: false, options: { mode: 'broadcast' } },
];

/** What the conformance suite and the convergence are told of each way to use the transport. Between `startSuite` and `closeSuite`. */
export const supabaseConformance: readonly ConformanceOptions[] = variants.map(({ name, marks, options }) => {
  const collections = marks
    ? Object.fromEntries(soft.map((each) => [each, { deletedAt: 'deleted_at', ...notes }]))
    : {};
  const create = () =>
    supabaseTransport({
      url: project.url,
      key: project.anonKey,
      fetch: briefFetch,
      heartbeatInterval: 300,
      requestTimeout: 1500,
      subscribeTimeout: 3000,
      collections,
      ...options,
    });
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
    backend: () => emptied(marks),
    create,
    collections: marks ? soft : hard,
    // One variant with a user's token, the others as anon.
    ...(marks && {
      auth: {
        valid: () => project.token({ sub: '11111111-1111-4111-8111-111111111111', jti: crypto.randomUUID() }),
        invalid: 'eyJhbGciOiJIUzI1NiJ9.e30.hush',
      },
    }),
    refused: { text: 'refused', done: false, count: 0 },
    // A broadcast asks its policy at the join only.
    ...(options.mode !== 'broadcast' && {
      permissions: {
        revoke: async (_, collection) =>
          void (await project.sql(`revoke all on ${collection} from anon, authenticated`)),
        grant: async (_, collection) => void (await project.sql(`grant all on ${collection} to anon, authenticated`)),
        async hideRow(_, collection, id, hidden) {
          const policy = `create policy seen on ${collection} to anon, authenticated using (id <> '${id}') with check (true)`;
          await project.sql(`drop policy if exists seen on ${collection}`);
          if (hidden) await project.sql(policy);
          await project.sql(`alter table ${collection} ${hidden ? 'enable' : 'disable'} row level security`);
        },
      },
    }),
  };
});
