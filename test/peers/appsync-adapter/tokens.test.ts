import { expect, test } from 'vitest';
import { expectLateRefusalIsSpared } from '../late-refusal.js';
import { until } from '../until.js';
import { openClient, openPeer } from './harness.js';

const row = { text: 'x', done: false, count: 1 };
const oidc = { auth: { type: 'oidc' } } as const;

test('a token that expires while connected is renewed in time: nobody is ever refused', async () => {
  const peer = await openPeer();
  let asked = 0;
  const authToken = () => {
    asked += 1;
    return peer.token('me', 4);
  };
  const client = await openClient(peer, ['todos'], { transport: oidc, config: { authToken } });
  await client.live();
  const links: number[] = [];
  client.sync.events.on('realtimeConnected', () => void links.push(asked));
  await until('two more links', () => links.length >= 2, client.state);
  peer.write('Todo', 'a', row);
  await until('the row', async () => (await client.rows()).has('a'), client.state);
  expect(client.codes()).not.toContain('AUTH_REQUIRED');
  expect(client.codes().filter((code) => code !== 'CONNECTION_LOST')).toEqual([]);
});

test('a token that expires and is not renewed ends in needs-auth; edits wait for the next one', async () => {
  const peer = await openPeer();
  const short = await peer.token('me', 2);
  const client = await openClient(peer, ['todos'], { transport: oidc, config: { authToken: async () => short } });
  await client.live();
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth', client.state);
  await client.sync.collection('todos').save(row, 'mine');
  peer.write('Todo', 'theirs', row);
  expect(client.sync.status.pending).toBe(1);
  for (const { message } of client.errors) expect(message).not.toContain(short);
  client.sync.setAuthToken(() => peer.token('me'));
  await client.live();
  expect([...(await client.rows()).keys()].sort()).toEqual(['mine', 'theirs']);
});

test('a token provider that throws at the first subscription is asked again', async () => {
  const peer = await openPeer();
  let calls = 0;
  const authToken = async () => {
    calls += 1;
    if (calls <= 3) throw new Error('The network is down.');
    return peer.token('me');
  };
  const client = await openClient(peer, ['todos'], { transport: oidc, config: { authToken } });
  await client.live();
  peer.write('Todo', 'a', row);
  await until('the row', async () => (await client.rows()).has('a'), client.state);
  expect(calls).toBeGreaterThan(3);
});

test('a token is asked for at the connection, at each start and for each request', async () => {
  const peer = await openPeer();
  const given: string[] = [];
  const authToken = async () => {
    const token = await peer.token('me');
    given.push(token);
    return token;
  };
  const client = await openClient(peer, ['todos'], { transport: oidc, config: { authToken } });
  await client.live();
  // The connection, three starts, and at least one page.
  expect(given.length).toBeGreaterThanOrEqual(5);
  expect(new Set(given).size).toBe(given.length);
});

test('a refused greeting asks for another token, and then for a sign-in', async () => {
  const peer = await openPeer();
  peer.fault({ ack: 'refuse' });
  const client = await openClient(peer, ['todos'], { transport: oidc, config: { authToken: () => peer.token('me') } });
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth', client.state);
  peer.fault({ ack: undefined });
  client.sync.setAuthToken(() => peer.token('me'));
  await client.live();
});

test('without a token nothing is sent, and that is said', async () => {
  const peer = await openPeer();
  const client = await openClient(peer, ['todos'], { transport: oidc });
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth', client.state);
  expect(peer.requests).toEqual({});
  expect(client.errors[0]?.message).toContain('set authToken');
});

test('an API key that is wrong is said to be refused, and never told', async () => {
  const peer = await openPeer();
  const auth = { type: 'apiKey', apiKey: 'da2-wrong-key' } as const;
  const client = await openClient(peer, ['todos'], { transport: { auth } });
  await until('needs-auth', () => client.sync.status.phase === 'needs-auth', client.state);
  for (const { message } of client.errors) expect(message).not.toContain('da2-wrong-key');
});

test('a refusal that comes late says nothing about the token in use', async () => {
  const peer = await openPeer();
  await expectLateRefusalIsSpared({
    tokens: [await peer.token('me'), await peer.token('me', 500)],
    row,
    isWrite: (request) => request.includes('mutation'),
    open: (fetch, authToken) => openClient(peer, ['todos'], { transport: { ...oidc, fetch }, config: { authToken } }),
  });
  const other = await openClient(peer, ['todos']);
  await other.live();
  expect((await other.rows()).get('late')).toMatchObject(row);
});
