import { createSyncLayer } from 'synclayer';

const fields = ['text'];
const backends = {
  supabase: { url: 'https://abc.supabase.co', key: 'key' },
  firestore: { config: { projectId: 'none', apiKey: 'key' } },
  hasura: { url: 'https://abc.hasura.app/v1/graphql', collections: { todos: { fields } } },
};

const codeOf = (opening) =>
  opening.then(
    (sync) => sync.close(),
    ({ code }) => code,
  );

/** What one device saves and another one reads, over a real server; and what a backend says whose SDK is not installed. */
export async function run(websocketUrl) {
  const collections = ['todos'];
  const open = () => createSyncLayer({ websocketUrl, collections });
  const [one, other] = await Promise.all([open(), open()]);
  try {
    const id = await one.collection('todos').save({ text: 'Buy milk' });
    await one.syncNow();
    await other.syncNow();
    const row = await other.collection('todos').get(id);
    const failing = Object.entries(backends).map(async ([type, options]) => [
      type,
      await codeOf(createSyncLayer({ transport: { type, ...options }, collections })),
    ]);
    return { text: row?.text, state: one.realtime.state.status, ...Object.fromEntries(await Promise.all(failing)) };
  } finally {
    await Promise.all([one.close(), other.close()]);
  }
}
