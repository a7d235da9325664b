/**
 * The entry points that are published, by subpath: `index` is `synclayer`, `websocket` is `synclayer/websocket`.
 * The one list of them: tsup builds from it and `npm run build` writes the `exports` of package.json from it.
 */
export const entries: Readonly<Record<string, string>> = {
  index: 'src/index.ts',
  'adapter-kit': 'src/adapter-kit/index.ts',
  server: 'src/server/index.ts',
  indexeddb: 'src/store/indexeddb.ts',
  sqlite: 'src/store/sqlite.ts',
  testing: 'src/testing/index.ts',
  switchover: 'src/migrate/switchover.ts',
  migrate: 'src/migrate/index.ts',
  compose: 'src/compose/index.ts',
  websocket: 'adapters/websocket/index.ts',
  supabase: 'adapters/supabase/index.ts',
  firestore: 'adapters/firestore/index.ts',
  appsync: 'adapters/appsync/index.ts',
  'appsync-amplify': 'adapters/appsync/amplify.ts',
  hasura: 'adapters/hasura/index.ts',
};
