import type { ConformanceBackend } from '../../../src/testing/index.js';
import type { TablePermissions } from './metadata.js';
import type { HasuraProject } from './project.js';

/**
 * The trigger of the tables below: a new time with each write, never one that the row had. `set test.age` lets a test
 * pretend that a transaction began earlier.
 */
export const touch = `
  create function touch() returns trigger language plpgsql as $$
  begin
    new.updated_at = greatest(
      clock_timestamp() - coalesce(nullif(current_setting('test.age', true), ''), '0')::interval,
      old.updated_at + interval '1 microsecond'
    );
    return new;
  end $$;`;

/** A table of the conformance suite; `soft`: rows are only marked as deleted. */
export const table = (name: string, soft: boolean): string => `
  create table ${name} (
    id text primary key,
    text text check (text is distinct from 'refused'),
    done boolean not null default false,
    count bigint,
    updated_at timestamptz not null default now()${soft ? ', deleted_at timestamptz' : ''}
  );
  create index on ${name} (updated_at, id);
  create trigger touch before insert or update on ${name} for each row execute function touch();`;

/** A role that may do everything with a table, as an app's metadata would say it. */
export const allowed: TablePermissions = {
  select: { columns: '*', filter: {} },
  insert: { columns: '*', check: {} },
  update: { columns: '*', filter: {}, check: null },
  delete: { filter: {} },
};

/**
 * A second hand on the data and on the wire of a project with such tables, which are emptied first. `soft`: rows are only
 * marked as deleted.
 *
 * @example
 * describeTransport({ describe, test }, { backend: () => createHand(project, ['todos', 'notes'], true), ... });
 */
export async function createHand(
  { proxy, sql, ...project }: HasuraProject,
  tables: readonly string[],
  soft: boolean,
): Promise<ConformanceBackend> {
  proxy.set({ blackHole: false });
  await sql(`truncate ${tables.join(', ')}`);
  return {
    async write(collection, id, { text, done, count }, { age = 0 } = {}) {
      const [row] = await sql(
        `with age as materialized (select set_config('test.age', $5 || ' milliseconds', true))
         insert into ${collection} (id, text, done, count) select $1, $2, $3, $4 from age
         on conflict (id) do update set text = excluded.text, done = excluded.done, count = excluded.count${soft ? ', deleted_at = null' : ''}
         returning id`,
        [id, text, done, count, String(age)],
      );
      if (row?.id !== id) throw new Error(`The write of ${id} gave ${JSON.stringify(row)}.`);
    },
    async delete(collection, id) {
      await sql(
        soft ? `update ${collection} set deleted_at = now() where id = $1` : `delete from ${collection} where id = $1`,
        [id],
      );
    },
    async read(collection) {
      const rows = await sql(
        `select id, text, done, count from ${collection}${soft ? ' where deleted_at is null' : ''}`,
      );
      return new Map(rows.map((row) => [String(row.id), { ...row, id: String(row.id), count: Number(row.count) }]));
    },
    cut: async () => proxy.cut({ reset: true }),
    hang: async (on) => proxy.set({ blackHole: on }),
    async restart() {
      await proxy.refuse();
      proxy.cut();
      await project.kill();
      await project.restartPostgres();
      await project.start();
      await proxy.accept();
    },
    async close() {
      proxy.set({ blackHole: false });
    },
  };
}
