import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Postgres } from '../postgres/start-postgres.js';

/** A row with every value as text, or null. */
export type TextRow = Readonly<Record<string, string | null>>;

export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** Runs one statement whose columns are all text. */
export type Query = (statement: Statement) => Promise<readonly TextRow[]>;

export interface Database {
  /** For `pg`: its owner. */
  readonly url: string;
  readonly query: Query;
  /** A hand on the data, with JavaScript's own types as `pg` gives them; times come as Postgres prints them. */
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** One transaction; it is rolled back where `work` throws. */
  transaction<Result>(work: (query: Query) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** JavaScript's own types would lose microseconds and digits. */
const verbatim = new Set([20, 1082, 1083, 1114, 1184, 1186, 1266, 1700]);
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    verbatim.has(oid) && format !== 'binary' ? (value: string) => value : pg.types.getTypeParser(oid, format),
};

async function administer(postgres: Postgres, statement: string): Promise<void> {
  const client = new pg.Client(postgres.connectionString());
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Makes a database of its own and runs `schema`. */
export async function createDatabase(postgres: Postgres, schema = ''): Promise<Database> {
  const name = `hasura_${randomBytes(6).toString('hex')}`;
  // As Hasura's image has it: texts are ordered as in English, `a` before `B`. Of ICU, for not every machine has that locale.
  const collation = "template template0 locale_provider icu icu_locale 'en-US'";
  await administer(postgres, `create database ${name} ${collation}`);
  const url = postgres.connectionString(name);
  const pool = new pg.Pool({ connectionString: url, types, max: 10 });
  // An idle connection that Postgres ended: the pool forgets it and opens another.
  pool.on('error', () => {});
  const on = (client: pg.Pool | pg.PoolClient): Query => {
    return async ({ text, values }) => (await client.query<TextRow>(text, [...values])).rows;
  };
  const database: Database = {
    url,
    query: on(pool),
    sql: async (text, values = []) => (await pool.query(text, [...values])).rows ?? [],
    async transaction(work) {
      const client = await pool.connect();
      const ignore = (): void => {};
      client.on('error', ignore);
      let broken = false;
      try {
        await client.query('begin');
        const result = await work(on(client));
        await client.query('commit');
        return result;
      } catch (cause) {
        await client.query('rollback').catch(() => {
          broken = true;
        });
        throw cause;
      } finally {
        client.off('error', ignore);
        client.release(broken);
      }
    },
    async close() {
      await pool.end();
      // Where Postgres is away, its data goes with it.
      await administer(postgres, `drop database ${name} with (force)`).catch(() => {});
    },
  };
  try {
    await database.sql(schema);
  } catch (cause) {
    await database.close();
    throw cause;
  }
  return database;
}
