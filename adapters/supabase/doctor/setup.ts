import { MARKS_WHY, marksSql } from '../../../src/adapter-kit/doctor/marks-sql.js';
import { ident, literal, nameOf, shortName, sql } from '../../../src/adapter-kit/doctor/postgres-sql.js';
import type { ParsedOptions, SupabaseCollection } from '../options.js';

/** Where a collection lies, with the defaults of the transport. */
export function placeOf(collection: string, options: SupabaseCollection = {}) {
  const { schema = 'public', table = collection, id = 'id', updatedAt = 'updated_at', deletedAt } = options;
  const { opId, editedAt } = options;
  const { topic = collection } = options;
  return {
    ...{ collection, schema, table, id, updatedAt, deletedAt, opId, editedAt, topic },
    name: nameOf({ schema, table }),
  };
}

export type Place = ReturnType<typeof placeOf>;

/** A policy's command, and the right that it needs. */
export const commands = ['select', 'insert', 'update', 'delete'] as const;
export type Command = (typeof commands)[number];

/** Rows that are only marked as deleted need no right to delete. */
export const commandsOf = ({ deletedAt }: Place): Command[] =>
  commands.filter((command) => command !== 'delete' || deletedAt === undefined);

const named = (roles: readonly string[]): string => roles.map(ident).join(', ');

/** The statements that only Supabase needs: `doctor` gives one of them as the fix of what it found. */
export const statements = {
  publication: ({ schema, table, name }: Place): string => `do $$ begin
  if not exists (select from pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  if not exists (select from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = ${literal(schema)} and tablename = ${literal(table)}) then
    alter publication supabase_realtime add table ${name};
  end if;
end $$;`,

  publishAll: `alter publication supabase_realtime set (publish = 'insert, update, delete, truncate');`,

  /** Only the key of a deleted row is needed; an identity that says more is left as it is. */
  replicaIdentity: ({ name }: Place): string => `do $$ begin
  if (select relreplident from pg_class where oid = ${literal(name)}::regclass) = 'n' then
    alter table ${name} replica identity default;
  end if;
end $$;`,

  /** For a key that is not the table's own primary key. */
  identityByIndex: ({ name }: Place, index: string): string =>
    `alter table ${name} replica identity using index ${ident(index)};`,

  grants: ({ schema, name }: Place, rights: readonly Command[], roles: readonly string[]): string =>
    `grant usage on schema ${ident(schema)} to ${named(roles)};\ngrant ${rights.join(', ')} on ${name} to ${named(roles)};`,

  /** `owner`: a column that holds the user's id; without it every user who is signed in may do it. */
  policies({ name }: Place, missing: readonly Command[], owner: string | null): string {
    const rule = owner === null ? 'true' : `(select auth.uid()) = ${ident(owner)}`;
    const using = { select: true, update: true, delete: true, insert: false };
    const checked = { select: false, update: true, delete: false, insert: true };
    return missing
      .map((command) => {
        const parts = [
          ...(using[command] ? [`using (${rule})`] : []),
          ...(checked[command] ? [`with check (${rule})`] : []),
        ];
        const policy = ident(`synclayer ${command}`);
        return `drop policy if exists ${policy} on ${name};\ncreate policy ${policy} on ${name} for ${command} to authenticated ${parts.join(' ')};`;
      })
      .join('\n');
  },

  secure: ({ name }: Place): string => `alter table ${name} enable row level security;`,

  broadcast: ({ schema, table, name, topic }: Place): string => {
    const fn = `${ident(schema)}.${ident(shortName(`synclayer_announce_${table}`))}`;
    return `create or replace function ${fn}() returns trigger security definer set search_path = '' language plpgsql as $$
begin
  perform realtime.broadcast_changes(${literal(topic)}, tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
  return null;
end $$;
drop trigger if exists synclayer_announce on ${name};
create trigger synclayer_announce after insert or update or delete on ${name} for each row execute function ${fn}();`;
  },

  hear: ({ topic }: Place): string =>
    `create policy ${ident(`hear ${topic}`)} on realtime.messages for select to authenticated using (realtime.topic() = ${literal(topic)});`,
};

/** Said where a table is about to be published. */
export const EMPTY_PUBLICATION =
  'While the publication has no table at all, Realtime stops reading and looks again every 60 s: after the first table the first changes can take a minute.';

/** A table is the app's own affair: an example to adapt, as comments. */
const creation = ({ name, id: key }: Place): string =>
  [
    'The table itself is not made here. If it is not there yet, adapt this, with a column for each field, and uncomment:',
    `create table ${name} (`,
    `  ${ident(key)} text primary key,            -- made by the client: text or uuid`,
    '  user_id uuid not null default auth.uid(),',
    '  text text,',
    '  done boolean not null default false',
    ');',
  ]
    .map((line) => `-- ${line}`)
    .join('\n');

/** Row level security is the app's own affair: an example to adapt, as comments. */
const policies = (place: Place, mode: ParsedOptions['mode']): string =>
  [
    'Who may read and write. Adapt, and uncomment: without policies nobody may once row level security is on.',
    statements.secure(place),
    `create policy ${ident(`own rows of ${place.table}`)} on ${place.name} for all to authenticated`,
    '  using (user_id = auth.uid()) with check (user_id = auth.uid());',
    ...(mode === 'broadcast' ? [statements.hear(place)] : []),
  ]
    .map((line) => `-- ${line}`)
    .join('\n');

const marks = (place: Place): [string, string] | undefined => {
  const sql = marksSql(place);
  return sql === undefined ? undefined : [MARKS_WHY, sql];
};

/** All that the tables need, in one text that may be run again. */
export function setupSql(places: readonly Place[], mode: ParsedOptions['mode']): string {
  const blocks = places.map((place) => {
    const parts: readonly (readonly [why: string, text: string] | undefined)[] = [
      ['', creation(place)],
      [`When a row was changed: a trigger sets it at each write, with microseconds.`, sql.updatedAt(place)],
      [
        'By its name it fires last of all, so that no trigger of the app that sets the column to now() has the last word.',
        sql.trigger(place),
      ],
      place.deletedAt === undefined
        ? undefined
        : ['Deleted rows are marked, so that a pull sees them.', sql.deletedAt(place)],
      marks(place),
      ['Each catch-up reads in this order.', sql.index(place)],
      mode === 'broadcast'
        ? ['The database tells of each change itself.', statements.broadcast(place)]
        : [
            `Realtime sends the changes of published tables only.\n-- ${EMPTY_PUBLICATION}`,
            statements.publication(place),
          ],
      ['Deletes come with the key, which is all that is needed.', statements.replicaIdentity(place)],
      ['', policies(place, mode)],
    ];
    const text = parts.flatMap((part) => (part ? [part[0] === '' ? part[1] : `-- ${part[0]}\n${part[1]}`] : []));
    return `-- ${place.collection}: ${place.name}\n${text.join('\n\n')}`;
  });
  return `begin;\n\n${blocks.join('\n\n\n')}\n\ncommit;`;
}
