import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Postgres } from '../postgres/start-postgres.js';

/** Roles belong to the whole of Postgres: the first project makes them. */
const ROLES = `
do $$ begin
  -- Two projects may start at once.
  perform pg_advisory_xact_lock(1);
  if to_regrole('authenticator') is null then
    create role anon nologin noinherit;
    create role authenticated nologin noinherit;
    create role service_role nologin noinherit bypassrls;
    create role authenticator login noinherit password 'authenticator';
    grant anon, authenticated, service_role to authenticator;
  end if;
end $$`;

/** What a Supabase project's database has before its first table. */
const BOOTSTRAP = `
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;

create schema auth;
grant usage on schema auth to anon, authenticated, service_role;
create function auth.jwt() returns jsonb language sql stable as
  $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
create function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
create function auth.role() returns text language sql stable as $$ select auth.jwt() ->> 'role' $$;

create schema realtime;
grant usage on schema realtime to anon, authenticated, service_role;
create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  binary_payload bytea,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
);
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;

create function realtime.topic() returns text language sql stable as
  $$ select nullif(current_setting('realtime.topic', true), '')::text $$;

-- A failure is a warning, never the transaction's.
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language plpgsql as $$
declare
  message_id uuid := gen_random_uuid();
begin
  if jsonb_typeof(payload) <> 'object' then raise exception 'the payload is no object'; end if;
  insert into realtime.messages (id, payload, event, topic, private, extension)
  values (message_id, jsonb_build_object('id', message_id) || payload, event, topic, private, 'broadcast');
exception when others then
  raise warning 'The message was not sent: %', sqlerrm;
end $$;

create function realtime.send_binary(payload bytea, event text, topic text, private boolean default true) returns void
language plpgsql as $$
begin
  insert into realtime.messages (binary_payload, event, topic, private, extension)
  values (payload, event, topic, private, 'broadcast');
exception when others then
  raise warning 'The message was not sent: %', sqlerrm;
end $$;

create function realtime.broadcast_changes(
  topic_name text, event_name text, operation text, table_name text, table_schema text,
  new record, old record, level text default 'ROW'
) returns void language plpgsql as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  perform realtime.send(
    jsonb_build_object('old_record', old, 'record', new, 'operation', operation, 'table', table_name,
      'schema', table_schema),
    event_name, topic_name);
end $$;

-- What Realtime makes of a value of the WAL: JSON, as the value's type prints it.
create function realtime.json_of(value text, type regtype) returns jsonb language plpgsql as $$
declare
  result jsonb;
begin
  if value is null then return 'null'; end if;
  -- Realtime reads the WAL through wal2json, which has neither the prefix of a bytea nor numbers that JSON lacks.
  if type = 'bytea'::regtype then return to_jsonb(substr(value, 3)); end if;
  if type in ('float4', 'float8', 'numeric') and value in ('NaN', 'Infinity', '-Infinity') then return 'null'; end if;
  execute format('select to_jsonb(%L::%s)', value, type) into result;
  return result;
end $$;

-- Whether a row may be seen by a bearer of these claims. It looks at the row as it is now, as Realtime does.
create function realtime.visible(role_name text, claims text, query text) returns boolean language plpgsql as $$
declare
  result boolean;
begin
  perform set_config('role', role_name, true), set_config('request.jwt.claims', claims, true);
  execute query into result;
  perform set_config('role', 'none', true);
  return result;
end $$;

create publication supabase_realtime with (publish_generated_columns = stored);
create publication supabase_realtime_messages for table realtime.messages with (publish = 'insert');
`;

export type SqlRow = Record<string, unknown>;

export interface Database {
  /** For `pg`: its owner. */
  readonly url: string;
  /** A connection of the database's owner, for one statement. Values come as Postgres prints them, json parsed. */
  query(text: string, params?: readonly unknown[]): Promise<SqlRow[]>;
  /**
   * One connection from the pool, given back after `use` settles. `authenticator` may only take on the roles of tokens, as
   * PostgREST's connections.
   */
  with<Result>(who: 'owner' | 'authenticator', use: (client: pg.PoolClient) => Promise<Result>): Promise<Result>;
  /** A connection outside the pool. Its errors are swallowed: watch `end`. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

const text = (value: string): string => value;
/** JavaScript's own types would lose microseconds and digits. Booleans, small integers and json are parsed as ever. */
const verbatim = new Set([20, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700]);
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    verbatim.has(oid) && format !== 'binary' ? text : pg.types.getTypeParser(oid, format),
};

/** Runs statements that a transaction cannot hold. */
async function administer(postgres: Postgres, statements: readonly string[]): Promise<void> {
  const client = new pg.Client(postgres.connectionString());
  client.on('error', () => {});
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Makes a database of its own, a Supabase project of that, and runs `schema`. */
export async function createProject(postgres: Postgres, schema = ''): Promise<Database> {
  const name = `project_${randomBytes(6).toString('hex')}`;
  await administer(postgres, [ROLES, `create database ${name}`]);
  const url = postgres.connectionString(name);
  const settings = { connectionString: url, types };
  const owner = new pg.Pool({ ...settings, max: 10 });
  const { host, port } = postgres;
  const login = { user: 'authenticator', password: 'authenticator', database: name, host, port, types };
  const authenticator = new pg.Pool({ ...login, max: 10 });
  // An idle connection that Postgres ended: the pool forgets it and opens another.
  for (const pool of [owner, authenticator]) pool.on('error', () => {});
  const database: Database = {
    url,
    query: async (text, params = []) => (await owner.query<SqlRow>(text, [...params])).rows ?? [],
    with: async (who, use) => {
      const client = await (who === 'owner' ? owner : authenticator).connect();
      // A connection that breaks while it is out of the pool says so to the query that it was running.
      const ignore = (): void => {};
      client.on('error', ignore);
      let broken = false;
      try {
        return await use(client);
      } catch (cause) {
        broken = !(cause instanceof pg.DatabaseError);
        throw cause;
      } finally {
        client.off('error', ignore);
        client.release(broken);
      }
    },
    connect: async () => {
      const client = new pg.Client(settings);
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    close: async () => {
      await Promise.all([owner.end(), authenticator.end()]);
      // Where Postgres is away, its data goes with it.
      await administer(postgres, [`drop database ${name} with (force)`]).catch(() => {});
    },
  };
  try {
    await database.query(`${BOOTSTRAP}\n${schema}`);
  } catch (cause) {
    await database.close();
    throw cause;
  }
  return database;
}
