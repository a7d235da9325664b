import { statements } from '../../../adapters/hasura/tools/setup.js';
import { startHasuraPeer } from '../hasura/index.js';
import { collections, type Place } from '../migrate/places.js';

/** A Hasura with the collections of the other places. */
export async function hasuraPlace(): Promise<Place> {
  const fields = ['owner', 'text', 'n', 'price', 'done', 'meta', 'note'];
  const marks = (collection: string): string | undefined => (collection === 'todos' ? 'deleted_at' : undefined);
  const peer = await startHasuraPeer({
    adminSecret: null,
    jwtSecret: null,
    stringifyNumeric: true,
    schema: collections
      .map((name) => {
        const shape = { primaryKey: 'id', updatedAt: 'updated_at', columns: fields, counted: true, role: 'user' };
        const table = { collection: name, table: name, ...shape, deletedAt: marks(name) };
        return `
          create table ${name} (id text primary key, owner text, text text, n int, price numeric, done boolean, meta jsonb, note text);
          ${statements.updatedAt(table)} ${statements.trigger(table)} ${statements.index(table)}
          ${table.deletedAt === undefined ? '' : statements.deletedAt(table)}`;
      })
      .join('\n'),
  });
  const transport = {
    type: 'hasura',
    url: peer.url,
    collections: Object.fromEntries(
      collections.map((name) => [name, { fields, ...(marks(name) && { deletedAt: marks(name) }) }]),
    ),
  };
  const config = { transport, collections };
  return {
    name: 'hasura',
    config,
    configFor: () => config,
    async seed(collection, count) {
      await peer.sql(
        `insert into ${collection} (id, owner, text, n, price, done)
         select 'seed' || i, 'seed', 'Row ' || i, i, i + 0.50, i % 2 = 0 from generate_series(1, ${count}) i`,
      );
    },
    async numbers(collection) {
      const gone = marks(collection);
      const rows = await peer.sql(`select id, n from ${collection} ${gone ? `where ${gone} is null` : ''}`);
      return new Map(rows.map(({ id, n }) => [String(id), Number(n)]));
    },
    restart: () => peer.restartPostgres({ crash: true }),
    close: peer.close,
  };
}
