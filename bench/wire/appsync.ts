import { Amplify } from 'aws-amplify';
import { generateClient } from 'aws-amplify/api';
import { appsyncTransport } from '../../adapters/appsync/index.js';
import { startAppsyncProcess } from '../../test/peers/appsync/start-process.js';
import { idOf, type Receiver, ROWS, type Stage, tap, template, textFrame, waiter, watched } from './receiver.js';

const KEY = 'da2-of-this-bench';

interface Item {
  readonly count: number;
  readonly _version: number;
}

/** Beside the callback of Amplify's own subscription. */
export async function appsync(): Promise<Stage> {
  const peer = await startAppsyncProcess({
    models: [{ name: 'Todo', fields: { text: 'String', done: 'Boolean', count: 'Int' }, versioned: true }],
    auth: { apiKey: KEY },
  });
  for (let index = 0; index < ROWS; index++)
    await peer.write('Todo', idOf(index), { text: `Task ${index}`, done: false, count: 0 });
  const Platform = globalThis.WebSocket;
  const [mine, my, their] = [tap(), waiter(), waiter()];
  // Amplify makes `wss` of any address; the server is on this machine, without a certificate.
  const theirs = tap(
    class extends Platform {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(String(url).replace('wss://127.0.0.1', 'ws://127.0.0.1'), protocols);
      }
    },
  );
  const transport = appsyncTransport({
    url: peer.endpoint,
    auth: { type: 'apiKey', apiKey: KEY },
    WebSocket: mine.Tapped,
    collections: { todos: { table: 'Todo', fields: ['text', 'done', 'count'], versioned: true } },
  });
  const sync = await watched(transport, my.saw);
  globalThis.WebSocket = theirs.Tapped;
  Amplify.configure({ API: { GraphQL: { endpoint: peer.endpoint, apiKey: KEY, defaultAuthMode: 'apiKey' } } });
  const updates = generateClient().graphql({
    query: 'subscription { onUpdateTodo { id text done count _version _deleted _lastChangedAt } }',
  }) as unknown as { subscribe(observer: object): { unsubscribe(): void } };
  const subscription = updates.subscribe({
    next: ({ data }: { data: { onUpdateTodo: Item } }) => their.saw(data.onUpdateTodo.count),
  });
  const change = (): Promise<unknown> => peer.write('Todo', 'row-0', { text: 'Task 0', done: false, count: 1 });

  async function receiver(
    { frames, socket }: ReturnType<typeof tap>,
    told: Receiver['told'],
    close: Receiver['close'],
  ): Promise<Receiver> {
    const sent = await template(frames, change, (frame) => frame.includes('"onUpdateTodo"'));
    const { payload, ...message } = JSON.parse(sent) as { payload: { data: { onUpdateTodo: Item } } };
    const item = payload.data.onUpdateTodo;
    return {
      frame(count) {
        const [_version, _lastChangedAt] = [item._version + count, Date.now()];
        const onUpdateTodo = { ...item, id: idOf(count), count, _version, _lastChangedAt };
        return textFrame(socket(), JSON.stringify({ ...message, payload: { data: { onUpdateTodo } } }));
      },
      told,
      close,
    };
  }
  try {
    return {
      ours: await receiver(mine, my.told, () => sync.close()),
      bare: await receiver(theirs, their.told, async () => subscription.unsubscribe()),
      close: () => peer.close(),
    };
  } finally {
    globalThis.WebSocket = Platform;
  }
}
