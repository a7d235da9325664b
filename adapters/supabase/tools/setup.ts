import type { ParsedOptions, SupabaseCollection } from '../options.js';

/** An SQL identifier, quoted. */
export const ident = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Where a collection lies, with the defaults of the transport. */
export function placeOf(collection: string, options: SupabaseCollection = {}) {
  const { schema = 'public', table = collection, primaryKey = 'id', updatedAt = 'updated_at', deletedAt } = options;
  const { topic = collection } = options;
  return {
    collection,
    schema,
    table,
    primaryKey,
    updatedAt,
    deletedAt,
    topic,
    name: `${ident(schema)}.${ident(table)}`,
  };
}

export type Place = ReturnType<typeof placeOf>;

/** The statements by what they are for: `doctor` gives one of them as the fix of what it found. */
export const statements = {
  updatedAt: ({ name, updatedAt }: Place): string =>
    `alter table ${name} add column if not exists ${ident(updatedAt)} timestamptz not null default clock_timestamp();`,

  deletedAt: ({ name, deletedAt = 'deleted_at' }: Place): string =>
    `alter table ${name} add column if not exists ${ident(deletedAt)} timestamptz;`,

  /** `now()` is when the transaction began: two of one row could leave the older time, and share one within a transaction. */
  trigger: ({ schema, name, updatedAt }: Place): string => {
    const fn = `${ident(schema)}.${ident(`synclayer_touch_${updatedAt}`)}`;
    const column = ident(updatedAt);
    return `create or replace function ${fn}() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    new.${column} = clock_timestamp();
  else
    new.${column} = greatest(clock_timestamp(), old.${column} + interval '1 microsecond');
  end if;
  return new;
end $$;
drop trigger if exists synclayer_touch on ${name};
create trigger synclayer_touch before insert or update on ${name} for each row execute function ${fn}();`;
  },

  index: ({ table, name, updatedAt, primaryKey }: Place): string =>
    `create index if not exists ${ident(`synclayer_${table}`.slice(0, 63))} on ${name} (${ident(updatedAt)}, ${ident(primaryKey)});`,

  publication: ({ schema, table, name }: Place): string => `do $$ begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  if not exists (select from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = ${literal(schema)} and tablename = ${literal(table)}) then
    alter publication supabase_realtime add table ${name};
  end if;
end $$;`,

  /** Only the key of a deleted row is needed. `full` would double what each update writes. */
  replicaIdentity: ({ name }: Place): string => `alter table ${name} replica identity default;`,

  broadcast: ({ schema, table, name, topic }: Place): string => {
    const fn = `${ident(schema)}.${ident(`synclayer_announce_${table}`.slice(0, 63))}`;
    return `create or replace function ${fn}() returns trigger security definer set search_path = '' language plpgsql as $$
begin
  perform realtime.broadcast_changes(${literal(topic)}, tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
  return null;
end $$;
drop trigger if exists synclayer_announce on ${name};
create trigger synclayer_announce after insert or update or delete on ${name} for each row execute function ${fn}();`;
  },
};

/** A table is the app's own affair: an example to adapt, as comments. */
const creation = ({ name, primaryKey }: Place): string =>
  [
    'The table itself is not made here. If it is not there yet, adapt this, with a column for each field, and uncomment:',
    `create table ${name} (`,
    `  ${ident(primaryKey)} text primary key,            -- made by the client: text or uuid`,
    '  user_id uuid not null default auth.uid(),',
    '  text text,',
    '  done boolean not null default false',
    ');',
  ]
    .map((line) => `-- ${line}`)
    .join('\n');

/** Row level security is the app's own affair: an example to adapt, as comments. */
const policies = ({ name, table, topic }: Place, mode: ParsedOptions['mode']): string =>
  [
    'Who may read and write. Adapt, and uncomment: without policies nobody may once row level security is on.',
    `alter table ${name} enable row level security;`,
    `create policy ${ident(`own rows of ${table}`)} on ${name} for all to authenticated`,
    '  using (user_id = auth.uid()) with check (user_id = auth.uid());',
    ...(mode === 'broadcast'
      ? [
          `create policy ${ident(`hear ${topic}`)} on realtime.messages for select to authenticated`,
          `  using (realtime.topic() = ${literal(topic)});`,
        ]
      : []),
  ]
    .map((line) => `-- ${line}`)
    .join('\n');

/** All that the tables need, in one text that may be run again. */
export function setupSql(places: readonly Place[], mode: ParsedOptions['mode']): string {
  const blocks = places.map((place) => {
    const parts: readonly (readonly [why: string, sql: string] | undefined)[] = [
      ['', creation(place)],
      [`When a row was changed: a trigger sets it at each write, with microseconds.`, statements.updatedAt(place)],
      ['', statements.trigger(place)],
      place.deletedAt === undefined
        ? undefined
        : ['Deleted rows are marked, so that a pull sees them.', statements.deletedAt(place)],
      ['Each catch-up reads in this order.', statements.index(place)],
      mode === 'broadcast'
        ? ['The database tells of each change itself.', statements.broadcast(place)]
        : ['Realtime sends the changes of published tables only.', statements.publication(place)],
      ['Deletes come with the key, which is all that is needed.', statements.replicaIdentity(place)],
      ['', policies(place, mode)],
    ];
    const text = parts.flatMap((part) => (part ? [part[0] === '' ? part[1] : `-- ${part[0]}\n${part[1]}`] : []));
    return `-- ${place.collection}: ${place.name}\n${text.join('\n\n')}`;
  });
  return `begin;\n\n${blocks.join('\n\n\n')}\n\ncommit;`;
}
