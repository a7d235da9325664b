import { type AppsyncTransportOptions, appsyncTransport } from '../../../adapters/appsync/index.js';
import {
  type ConformanceBackend,
  type ConformanceOptions,
  createTcpProxy,
  type TcpProxy,
} from '../../../src/testing/index.js';
import type { Model } from '../appsync/index.js';
import { type AppsyncProcess, startAppsyncProcess } from '../appsync/start-process.js';

const fields = { text: 'String', done: 'Boolean', count: 'Int' };
const refuses = { text: 'refused' };
/** With conflict detection, and without. */
export const models: readonly Model[] = [
  ...['Todo', 'Note'].map((name) => ({
    name,
    fields: { ...fields, editedAt: 'AWSDateTime' },
    refuses,
    versioned: true,
  })),
  ...['Task', 'Memo'].map((name) => ({ name, fields, refuses })),
];

const SECRET = 'a secret of this machine only';
export const API_KEY = 'da2-of-this-machine-only';

let peer: AppsyncProcess;
let proxy: TcpProxy;

export const startSuite = async (): Promise<void> => {
  peer = await startAppsyncProcess({
    models,
    auth: { apiKey: API_KEY, secret: SECRET },
    keepAlive: 100,
    connectionTimeout: 400,
  });
  proxy = await createTcpProxy({ port: peer.port });
};

export const closeSuite = async (): Promise<void> => {
  await proxy?.close();
  await peer?.close();
};

/** `fetch` without connections that stay open for later: they would look like something left behind. */
export const briefFetch: typeof fetch = (input, init) =>
  fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), connection: 'close' } });

interface Backend extends ConformanceBackend {
  cutAfter: TcpProxy['cutAfter'];
}

/** The API, empty, for one scenario. */
async function emptied(names: Readonly<Record<string, string>>): Promise<Backend> {
  proxy.set({ blackHole: false });
  await peer.reset();
  const of = (collection: string): string => names[collection] ?? collection;
  return {
    write: (collection, id, row, { age = 0 } = {}) => peer.write(of(collection), id, { ...row }, { age }),
    delete: (collection, id) => peer.delete(of(collection), id),
    async read(collection) {
      return new Map(
        (await peer.read(of(collection))).map(({ id, text, done, count }) => [id, { id, text, done, count }]),
      );
    },
    cut: async () => proxy.cut({ reset: true }),
    cutAfter: proxy.cutAfter,
    hang: async (on) => proxy.set({ blackHole: on }),
    async restart() {
      await peer.kill();
      proxy.cut();
      await peer.start();
    },
    async close() {
      proxy.set({ blackHole: false });
    },
  };
}

const variants: readonly {
  readonly name: string;
  readonly names: Readonly<Record<string, string>>;
  readonly versioned: boolean;
  readonly options?: Partial<AppsyncTransportOptions>;
  readonly events?: 'whole' | 'ids';
}[] = [
  { name: 'appsync, with conflict detection', names: { todos: 'Todo', notes: 'Note' }, versioned: true },
  { name: 'appsync, without conflict detection', names: { tasks: 'Task', memos: 'Memo' }, versioned: false },
];

/** What the conformance suite and the convergence are told of each way to use the transport. Between `startSuite` and `closeSuite`. */
export const appsyncConformance: readonly ConformanceOptions<Backend>[] = variants.map(
  ({ name, names, versioned, options, events }) => {
    const [first = '', second = ''] = Object.keys(names);
    const modelFor = (collection: string) => ({
      table: names[collection] ?? '',
      fields: Object.keys(fields),
      versioned,
      ...(events && { events }),
      ...(versioned && { editedAt: 'editedAt' }),
    });
    return {
      name,
      capabilities: {
        push: true,
        deletes: versioned ? 'tombstones' : 'none',
        cursor: 'timestamp',
        reconnect: 'core',
        filters: false,
        ...(versioned && { editTimes: true }),
        staleReads: true,
      },
      backend: () => emptied(names),
      create: () =>
        appsyncTransport({
          url: `http://127.0.0.1:${proxy.port}/graphql`,
          auth: versioned ? { type: 'oidc' } : { type: 'apiKey', apiKey: API_KEY },
          collections: { [first]: modelFor(first), [second]: modelFor(second) },
          requestTimeout: 1500,
          subscribeTimeout: 3000,
          fetch: briefFetch,
          ...options,
        }),
      collections: [first, second],
      ...(versioned && {
        auth: {
          valid: () => peer.token(),
          invalid: 'eyJhbGciOiJIUzI1NiJ9.e30.hush',
          expire: async () => peer.expire(),
        },
      }),
      refused: { text: 'refused', done: false, count: 0 },
      permissions: {
        revoke: async (_, collection) => peer.revoke(names[collection] ?? ''),
        grant: async (_, collection) => peer.grant(names[collection] ?? ''),
        hideRow: async (_, collection, id, hidden) => peer.disown(names[collection] ?? '', id, hidden),
      },
    };
  },
);
