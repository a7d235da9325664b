/** Where a collection lies in PostgreSQL. All names are the database's. */
export interface SqlPlace {
  readonly collection: string;
  readonly schema: string;
  readonly table: string;
  readonly id: string;
  readonly updatedAt: string;
  readonly deletedAt: string | undefined;
  readonly opId?: string | undefined;
  readonly editedAt?: string | undefined;
}

/** An SQL identifier, quoted. */
export const ident = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
export const nameOf = ({ schema, table }: Pick<SqlPlace, 'schema' | 'table'>): string =>
  `${ident(schema)}.${ident(table)}`;

/** PostgreSQL cuts longer names. */
export const shortName = (name: string): string => name.slice(0, 63);

/**
 * BEFORE triggers fire in the order of their names: the last one to set a column wins. An app's own is often called
 * `update_x_updated_at`, and sets the time at which its transaction began.
 */
export const TOUCH = 'zz_synclayer_touch';

/** A column that a time zone was never said of holds UTC, as everywhere in PostgREST and Hasura. */
const convertible: Readonly<Record<string, string>> = {
  'timestamp without time zone': " at time zone 'UTC'",
  date: '::timestamptz',
  text: '::timestamptz',
  'character varying': '::timestamptz',
};

const lines = (...text: readonly (string | undefined)[]): string =>
  text.filter((line) => line !== undefined).join('\n');

/** The statements by what they are for: `doctor` gives one of them as the fix of what it found. Each may be run again. */
export const sql = {
  updatedAt(place: SqlPlace): string {
    const [table, column] = [nameOf(place), ident(place.updatedAt)];
    return lines(
      `alter table ${table} add column if not exists ${column} timestamptz not null default clock_timestamp();`,
      `update ${table} set ${column} = clock_timestamp() where ${column} is null;`,
      `alter table ${table} alter column ${column} set not null;`,
    );
  },

  deletedAt: (place: SqlPlace): string =>
    `alter table ${nameOf(place)} add column if not exists ${ident(place.deletedAt ?? 'deleted_at')} timestamptz;`,

  /** A column of another type becomes timestamptz; undefined: its values are no times. `required`: it may not be null. */
  toTime(place: SqlPlace, name: string, type: string, required: boolean): string | undefined {
    const using = type === 'timestamp with time zone' ? '' : convertible[type];
    if (using === undefined) return undefined;
    const [table, column] = [nameOf(place), ident(name)];
    const alter = `alter table ${table} alter column ${column}`;
    return lines(
      // A default of the old type need not fit the new one.
      using === '' ? undefined : `${alter} drop default;`,
      using === '' ? undefined : `${alter} type timestamptz using ${column}${using};`,
      ...(required
        ? [
            `${alter} set default clock_timestamp();`,
            `update ${table} set ${column} = clock_timestamp() where ${column} is null;`,
            `${alter} set not null;`,
          ]
        : [`${alter} drop not null;`, `${alter} drop default;`]),
    );
  },

  /** `now()` is when the transaction began: two of one row could leave the older time, and share one within a transaction. */
  trigger(place: SqlPlace): string {
    const { schema, updatedAt } = place;
    const fn = `${ident(schema)}.${ident(shortName(`synclayer_touch_${updatedAt}`))}`;
    const [table, column] = [nameOf(place), ident(updatedAt)];
    return `create or replace function ${fn}() returns trigger language plpgsql set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    new.${column} = clock_timestamp();
  else
    new.${column} = greatest(clock_timestamp(), old.${column} + interval '1 microsecond');
  end if;
  return new;
end $$;
drop trigger if exists synclayer_touch on ${table};
drop trigger if exists ${TOUCH} on ${table};
create trigger ${TOUCH} before insert or update on ${table} for each row execute function ${fn}();`;
  },

  index: (place: SqlPlace): string =>
    `create index if not exists ${ident(shortName(`synclayer_${place.table}`))} on ${nameOf(place)} (${ident(place.updatedAt)}, ${ident(place.id)});`,

  /** One of that name serves other columns. */
  otherIndex: (place: SqlPlace): string =>
    `drop index if exists ${ident(place.schema)}.${ident(shortName(`synclayer_${place.table}`))};\n${sql.index(place)}`,

  primaryKey: (place: SqlPlace): string => `alter table ${nameOf(place)} add primary key (${ident(place.id)});`,

  /** A column that names a row alone, beside a key of several columns. */
  ownKey: (place: SqlPlace, column: string): string =>
    `alter table ${nameOf(place)} add column if not exists ${ident(column)} uuid not null unique default gen_random_uuid();`,
} as const;
