import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeOf, setupSql } from '../../../adapters/supabase/doctor/setup.js';
import { websocketTransport } from '../../../adapters/websocket/index.js';
import { sql } from '../../../src/adapter-kit/doctor/postgres-sql.js';
import type { SyncLayerConfig, TransportConfig } from '../../../src/index.js';
import { createPeerProcess, createTcpProxy } from '../../../src/testing/index.js';
import type { RealtimeTransport } from '../../../src/transport/transport.js';
import { startAppsyncProcess } from '../appsync/start-process.js';
import { startEmulator } from '../firestore/start-emulator.js';
import { startHasuraPeer } from '../hasura/index.js';
import { startSupabasePeer } from '../supabase/index.js';

/** A backend to move from or to, with two collections. */
export interface Place {
  readonly name: string;
  /** What `--from` and `--to` get. */
  readonly config: SyncLayerConfig<readonly string[]>;
  /** What a client gets that keeps the rows of one owner. */
  configFor(owner: string): SyncLayerConfig<readonly string[]>;
  /** It has no type for any map or list: what is moved from or to it keeps these as JSON texts. */
  readonly texts?: true;
  /** Puts so many rows into each collection, past every transport. */
  seed(collection: string, count: number): Promise<void>;
  /** The `n` of every row that is there. */
  numbers(collection: string): Promise<ReadonlyMap<string, number>>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export const collections = ['todos', 'notes'] as const;

/** Todos are marked as deleted, notes are deleted for good. */
const marked = (collection: string, field: string) => (collection === 'todos' ? { deletedAt: field } : {});

export async function supabasePlace(): Promise<Place> {
  const fields = { price: { type: 'numeric' as const } };
  const tables = collections.map((name) => placeOf(name, marked(name, 'deleted_at')));
  const peer = await startSupabasePeer({
    schema: `
      create table todos (id text primary key, owner text, text text, n bigint, price numeric, done boolean, meta jsonb, note text);
      create table notes (like todos including all);
      ${setupSql(tables, 'postgres_changes')}
      grant all on todos, notes to anon`,
  });
  const transport = (owner?: string): TransportConfig => ({
    type: 'supabase',
    url: peer.url,
    key: peer.anonKey,
    collections: Object.fromEntries(
      collections.map((name) => [
        name,
        { fields, ...marked(name, 'deleted_at'), ...(owner !== undefined && { where: `owner=eq.${owner}` }) },
      ]),
    ),
  });
  const is = (collection: string): string => (collection === 'todos' ? 'where deleted_at is null' : '');
  return {
    name: 'supabase',
    config: { transport: transport(), collections },
    configFor: (owner) => ({ transport: transport(owner), collections }),
    async seed(collection, count) {
      await peer.sql(
        `insert into ${collection} (id, owner, text, n, price, done, meta, note)
         select 'seed' || i, 'seed', 'Row ' || i, i, i + 0.50, i % 2 = 0, jsonb_build_object('i', i, 'list', jsonb_build_array(i, null, 'x')),
         case when i % 3 = 0 then null else 'note ' || i end from generate_series(1, ${count}) i`,
      );
    },
    async numbers(collection) {
      const rows = await peer.sql(`select id, n from ${collection} ${is(collection)}`);
      return new Map(rows.map(({ id, n }) => [String(id), Number(n)]));
    },
    restart: () => peer.restartPostgres({ crash: true }),
    close: peer.close,
  };
}

export async function hasuraPlace(): Promise<Place> {
  const fields = ['owner', 'text', 'n', 'price', 'done', 'meta', 'note'];
  const tables = collections.map((name) => ({
    collection: name,
    schema: 'public' as const,
    table: name,
    id: 'id',
    updatedAt: 'updated_at',
    deletedAt: marked(name, 'deleted_at').deletedAt,
    columns: fields,
    counted: true,
    role: 'user',
  }));
  const peer = await startHasuraPeer({
    adminSecret: null,
    jwtSecret: null,
    stringifyNumeric: true,
    schema: tables
      .map(
        (place) => `
          create table ${place.table} (id text primary key, owner text, text text, n int, price numeric, done boolean, meta jsonb, note text);
          ${sql.updatedAt(place)} ${sql.trigger(place)} ${sql.index(place)}
          ${place.deletedAt === undefined ? '' : sql.deletedAt(place)}`,
      )
      .join('\n'),
  });
  const named = Object.fromEntries(
    fields.map((field) => [field, field === 'price' ? { type: 'numeric' as const } : field]),
  );
  const transport = (owner?: string): TransportConfig => ({
    type: 'hasura',
    url: peer.url,
    collections: Object.fromEntries(
      collections.map((name) => [
        name,
        {
          fields: named,
          watchCount: true,
          ...marked(name, 'deleted_at'),
          ...(owner !== undefined && { where: { owner: { _eq: owner } } }),
        },
      ]),
    ),
  });
  return {
    name: 'hasura',
    config: { transport: transport(), collections },
    configFor: (owner) => ({ transport: transport(owner), collections }),
    async seed(collection, count) {
      await peer.sql(
        `insert into ${collection} (id, owner, text, n, price, done, meta)
         select 'seed' || i, 'seed', 'Row ' || i, i, i + 0.50, i % 2 = 0, jsonb_build_object('i', i) from generate_series(1, ${count}) i`,
      );
    },
    async numbers(collection) {
      const rows = await peer.sql(
        `select id, n from ${collection} ${collection === 'todos' ? 'where deleted_at is null' : ''}`,
      );
      return new Map(rows.map(({ id, n }) => [String(id), Number(n)]));
    },
    restart: () => peer.restartPostgres({ crash: true }),
    close: peer.close,
  };
}

/** With conflict detection, and without: notes are deleted for good. */
export async function appsyncPlace(): Promise<Place> {
  const models = { todos: 'Todo', notes: 'Note' } as const;
  const fields = {
    owner: 'String',
    text: 'String',
    n: 'Int',
    price: 'String',
    done: 'Boolean',
    meta: 'AWSJSON',
    note: 'String',
  };
  const versioned = (collection: string): boolean => collection === 'todos';
  const apiKey = 'da2-of-this-machine-only';
  const peer = await startAppsyncProcess({
    models: collections.map((each) => ({ name: models[each], fields, versioned: versioned(each) })),
    auth: { apiKey },
  });
  const transport = (owner?: string): TransportConfig => ({
    type: 'appsync',
    url: peer.endpoint,
    auth: { type: 'apiKey', apiKey },
    collections: Object.fromEntries(
      collections.map((each) => [
        each,
        {
          table: models[each],
          fields: Object.keys(fields),
          versioned: versioned(each),
          ...(owner !== undefined && { where: { owner: { eq: owner } } }),
        },
      ]),
    ),
  });
  const modelOf = (collection: string): string => models[collection as keyof typeof models];
  return {
    name: 'appsync',
    texts: true,
    config: { transport: transport(), collections },
    configFor: (owner) => ({ transport: transport(owner), collections }),
    async seed(collection, count) {
      for (let i = 1; i <= count; i += 1) {
        const row = { owner: 'seed', text: `Row ${i}`, n: i, price: `${i}.50`, done: i % 2 === 0 };
        await peer.write(modelOf(collection), `seed${i}`, { ...row, meta: JSON.stringify({ i }) });
      }
    },
    async numbers(collection) {
      const items = await peer.read(modelOf(collection));
      return new Map(items.map(({ id, n }) => [String(id), Number(n)]));
    },
    async restart() {
      await peer.kill();
      await peer.start();
    },
    close: peer.close,
  };
}

/**
 * The emulator keeps all in memory. `restarts`: it is behind a proxy, so that nothing is written between the moment at which its
 * documents are taken down and its end.
 */
export async function firestorePlace({ restarts = false } = {}): Promise<Place> {
  const emulator = await startEmulator();
  const proxy = restarts ? await createTcpProxy({ port: emulator.port }) : undefined;
  const projectId = 'move';
  const hand = emulator.project(projectId);
  const transport = (owner?: string): TransportConfig => ({
    type: 'firestore',
    config: { projectId },
    emulator: `${emulator.host}:${proxy?.port ?? emulator.port}`,
    collections: Object.fromEntries(
      collections.map((name) => [
        name,
        { ...marked(name, 'deletedAt'), ...(owner !== undefined && { where: [['owner', '==', owner]] }) },
      ]),
    ),
  });
  return {
    name: 'firestore',
    config: { transport: transport(), collections },
    configFor: (owner) => ({ transport: transport(owner), collections }),
    async seed(collection, count) {
      const rows = Array.from({ length: count }, (_, index): [string, object] => {
        const i = index + 1;
        const row = { owner: 'seed', text: `Row ${i}`, n: i, price: `${i}.50`, done: i % 2 === 0 };
        return [`${collection}/seed${i}`, i % 3 === 0 ? row : { ...row, meta: { i, list: [i, null] }, note: null }];
      });
      await hand.writeAll(new Map(rows as [string, Record<string, unknown>][]));
    },
    async numbers(collection) {
      const documents = await hand.list(collection);
      return new Map(
        documents
          .filter(({ fields }) => fields?.deletedAt === undefined)
          .map(({ name, fields }) => [name.slice(name.lastIndexOf('/') + 1), Number(fields?.n?.integerValue)]),
      );
    },
    async restart() {
      if (!proxy) throw new Error('It was not made for a restart.');
      await proxy.refuse();
      proxy.cut({ reset: true });
      await emulator.restart(projectId);
      await proxy.accept();
    },
    async close() {
      await proxy?.close();
      await emulator.close();
    },
  };
}

/** Our server in a process of its own, over an SQLite file. */
export async function websocketPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-place-'));
  const file = join(import.meta.dirname, '../websocket/server-process.ts');
  const server = await createPeerProcess({
    command: process.execPath,
    args: (port) => ['--import', 'tsx', file, join(folder, 'server.db'), String(port)],
    ready: /^ws:.*:(\d+)\/ws$/m,
  });
  const url = `ws://127.0.0.1:${server.port}/ws`;
  const { signal } = new AbortController();
  async function use<T>(work: (transport: RealtimeTransport) => Promise<T>): Promise<T> {
    const transport = websocketTransport({ url });
    await transport.connect({ signal });
    return work(transport).finally(() => transport.close());
  }
  const config: SyncLayerConfig<readonly string[]> = { transport: { type: 'websocket', url }, collections };
  return {
    name: 'websocket',
    config,
    configFor: () => config,
    seed: (collection, count) =>
      use(async (transport) => {
        const changes = Array.from({ length: count }, (_, index) => ({
          type: 'insert' as const,
          collection,
          recordId: `seed${index}`,
          opId: crypto.randomUUID(),
          data: { owner: 'seed', text: `Row ${index}`, n: index, price: `${index}.50`, done: true, meta: { index } },
          base: null,
          baseVersion: null,
          timestamp: Date.now(),
        }));
        await transport.push(changes, { signal });
      }),
    numbers: (collection) =>
      use(async (transport) => {
        const found = new Map<string, number>();
        let cursor: Awaited<ReturnType<RealtimeTransport['pull']>>['cursor'] | null = null;
        for (let start = true; ; start = false) {
          const page = await transport.pull({ collection, cursor, start, limit: 1000, signal });
          if (page.changes.length === 0) return found;
          cursor = page.cursor;
          for (const change of page.changes)
            if (change.type === 'delete') found.delete(change.recordId);
            else found.set(change.recordId, Number(change.data.n));
        }
      }),
    restart: () => server.restart(),
    async close() {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
