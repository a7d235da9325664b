/**
 * An app that knows its API and its user from Amplify alone. In a process of its own, since Node reads NODE_EXTRA_CA_CERTS only
 * at its start. The argument is the endpoint; its parent is the one who signs in, and watches.
 */
import { Amplify } from 'aws-amplify';
import { generateClient } from 'aws-amplify/api';
import { decodeJWT } from 'aws-amplify/auth';
import { fromAmplify } from '../../../adapters/appsync/amplify.js';
import { appsyncTransport } from '../../../adapters/appsync/index.js';
import type { Row } from '../../../src/base/change.js';
import { createSyncLayer } from '../../../src/index.js';

/** To the app. */
export type Command =
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'save'; readonly id: string; readonly row: Row }
  | { readonly type: 'delete'; readonly id: string }
  /** By Amplify's own client. */
  | { readonly type: 'mutate'; readonly query: string }
  | { readonly type: 'close' };

/** From the app. */
export type Report =
  | { readonly type: 'wantToken' }
  | { readonly type: 'phase'; readonly phase: string }
  | { readonly type: 'rows'; readonly rows: readonly Row[] }
  | { readonly type: 'mutated'; readonly data: unknown }
  | { readonly type: 'error'; readonly code: string; readonly message: string }
  | { readonly type: 'closed' };

const report = (message: Report): void => void process.send?.(message);
const tokens: ((token: string) => void)[] = [];

function token(): Promise<string> {
  report({ type: 'wantToken' });
  return new Promise((resolve) => tokens.push(resolve));
}

// As amplify_outputs.json has it.
const outputs = {
  version: '1',
  data: {
    url: process.argv[2] ?? '',
    aws_region: 'eu-central-1',
    default_authorization_type: 'OPENID_CONNECT' as const,
    authorization_types: [],
  },
};
const tokenProvider = { getTokens: async () => ({ accessToken: decodeJWT(await token()) }) };
Amplify.configure(outputs, { Auth: { tokenProvider } });
const client = generateClient();

const sync = await createSyncLayer({
  transport: appsyncTransport({
    ...fromAmplify(Amplify.getConfig()),
    collections: { todos: { table: 'Todo', fields: ['text', 'done', 'count'], versioned: true } },
  }),
  collections: ['todos'],
  syncInterval: 3_600_000,
  auditInterval: 3_600_000,
  websocketReconnectDelay: 50,
  maxReconnectDelay: 200,
});
const todos = sync.collection('todos');
sync.events.on('error', ({ error: { code, message } }) => report({ type: 'error', code, message }));
sync.events.on('statusChanged', ({ phase }) => report({ type: 'phase', phase }));
todos.watch((rows) => report({ type: 'rows', rows }));

async function run(command: Command): Promise<void> {
  if (command.type === 'token') tokens.shift()?.(command.token);
  else if (command.type === 'save') await todos.save(command.row, command.id);
  else if (command.type === 'delete') await todos.delete(command.id);
  else if (command.type === 'mutate') report({ type: 'mutated', data: await client.graphql({ query: command.query }) });
  else {
    await sync.close();
    report({ type: 'closed' });
  }
}
process.on('message', (command: Command) => {
  void run(command).catch((error: unknown) => report({ type: 'error', code: 'APP', message: JSON.stringify(error) }));
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit());
