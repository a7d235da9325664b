import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Row } from '../../../src/base/change.js';
import type { AppsyncPeer } from '../appsync/index.js';
import { until } from '../until.js';
import type { Command, Report } from './amplify-process.js';
import { openPeer } from './harness.js';
import { certificatePath, startTlsFront } from './tls-front.js';

/** How long a token is good, seconds. */
const TOKEN = 10;
const child = join(import.meta.dirname, 'amplify-process.ts');
const row = { text: 'x', done: false, count: 1 };

/** The app of amplify-process.ts over TLS, signed in with tokens of the peer. */
async function openApp(peer: AppsyncPeer, { trusting }: { readonly trusting: boolean }) {
  const front = await startTlsFront(peer.port);
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const app = fork(child, [`https://127.0.0.1:${front.port}/graphql`], {
    execArgv: ['--import', 'tsx'],
    env: { ...env, ...(trusting && { NODE_EXTRA_CA_CERTS: certificatePath }) },
  });
  const gone = once(app, 'exit');
  onTestFinished(async () => {
    app.kill('SIGKILL');
    await gone;
    await front.close();
  });
  const seen = {
    tokens: new Set<string>(),
    phases: [] as string[],
    rows: new Map<unknown, Row>(),
    errors: [] as { readonly code: string; readonly message: string }[],
    mutated: undefined as unknown,
    closed: false,
  };
  const send = (command: Command): void => void (app.connected && app.send(command));
  app.on('message', (report: Report) => {
    if (report.type === 'wantToken')
      void peer.token('me', TOKEN).then((token) => {
        seen.tokens.add(token);
        send({ type: 'token', token });
      });
    else if (report.type === 'phase') seen.phases.push(report.phase);
    else if (report.type === 'rows') seen.rows = new Map(report.rows.map((each) => [each.id, each]));
    else if (report.type === 'error') seen.errors.push(report);
    else if (report.type === 'mutated') seen.mutated = report.data;
    else seen.closed = true;
  });
  const wait = (what: string, is: () => boolean): Promise<void> => until(what, is, () => [seen, [...seen.rows]]);
  const sockets = (): number => front.firstLines.filter((line) => line.startsWith('GET /graphql/realtime ')).length;
  return { send, seen, wait, front, sockets };
}

test("with Amplify's configuration and token provider an app syncs both ways over TLS, beyond the life of its tokens", {
  timeout: 300_000,
}, async () => {
  const peer = await openPeer();
  const { send, seen, wait, front, sockets } = await openApp(peer, { trusting: true });
  peer.write('Todo', 'before', row);
  await wait('the row that was there', () => seen.rows.has('before') && seen.phases.at(-1) === 'live');
  // All that came was encrypted: this is the only way in that the app knows.
  expect(sockets()).toBe(1);
  expect(front.firstLines).toContain('POST /graphql HTTP/1.1');
  expect(peer.subscriptions.toSorted()).toEqual(['onCreateTodo', 'onDeleteTodo', 'onUpdateTodo']);

  peer.write('Todo', 'theirs', row);
  await wait('a row of somebody else', () => seen.rows.has('theirs'));
  send({ type: 'save', id: 'mine', row });
  await wait('its own row', () => peer.read('Todo').some(({ id }) => id === 'mine'));
  send({ type: 'mutate', query: 'mutation { createTodo(input: { id: "amplify", text: "y", count: 2 }) { id } }' });
  await wait("a row of Amplify's own client", () => seen.rows.has('amplify'));
  // That client selected the id alone.
  expect(seen.rows.get('amplify')).toEqual({ id: 'amplify', text: 'y', done: null, count: 2 });
  expect(seen.mutated).toEqual({ data: { createTodo: { id: 'amplify' } } });

  await wait('another socket, with a new token', () => sockets() >= 2 && seen.phases.at(-1) === 'live');
  peer.delete('Todo', 'theirs');
  await wait('a delete of somebody else', () => !seen.rows.has('theirs'));
  send({ type: 'delete', id: 'mine' });
  await wait('its own delete', () => !peer.read('Todo').some(({ id }) => id === 'mine'));
  expect(seen.tokens.size).toBeGreaterThan(3);
  expect(seen.errors.filter(({ code }) => code !== 'CONNECTION_LOST')).toEqual([]);

  send({ type: 'close' });
  await wait('it has closed', () => seen.closed && peer.connections === 0);
  expect([...seen.rows.keys()].sort()).toEqual(['amplify', 'before']);
});

test('a certificate that is not trusted lets nothing through', { timeout: 300_000 }, async () => {
  const peer = await openPeer();
  const { seen, wait, front } = await openApp(peer, { trusting: false });
  await wait('it has tried twice', () => seen.errors.filter(({ code }) => code === 'CONNECT_FAILED').length >= 2);
  expect(front.firstLines).toEqual([]);
  expect(peer.requests).toEqual({});
  for (const token of seen.tokens) expect(JSON.stringify(seen.errors)).not.toContain(token);
});
