import { createClient } from 'graphql-ws/client';
import { hasuraTransport } from '../../adapters/hasura/index.js';
import { table, touch } from '../../test/peers/hasura/hand.js';
import { startHasuraProject } from '../../test/peers/hasura/project.js';
import { idOf, type Receiver, ROWS, type Stage, tap, template, textFrame, waiter, watched } from './receiver.js';

interface Row {
  readonly updated_at: string;
  readonly count: number;
}

/** A streaming subscription, beside the same one on the bare client of graphql-ws. */
export async function hasura(): Promise<Stage> {
  const peer = await startHasuraProject({
    schema: `${touch} ${table('todos', false)}
      insert into todos (id, text, count) select 'row-' || n, 'Task ' || n, 0 from generate_series(0, ${ROWS - 1}) n`,
    pollInterval: 50,
  });
  const secret = { 'x-hasura-admin-secret': peer.adminSecret };
  const [mine, theirs, my, their] = [tap(), tap(), waiter(), waiter()];
  const transport = hasuraTransport({
    url: peer.url,
    headers: secret,
    WebSocket: mine.Tapped,
    collections: { todos: { fields: ['text', 'done', 'count'] } },
  });
  const sync = await watched(transport, my.saw);
  const client = createClient({
    url: peer.wsUrl,
    connectionParams: { headers: secret },
    webSocketImpl: theirs.Tapped,
  });
  const since = JSON.stringify(new Date(Date.now() - 60_000).toISOString());
  client.subscribe<{ rows: readonly Row[] }>(
    {
      query: `subscription {
        rows: todos_stream(batch_size: 100, cursor: {initial_value: {updated_at: ${since}}, ordering: ASC}) {
          id updated_at text done count
        }
      }`,
    },
    {
      next({ data }) {
        for (const { count } of data?.rows ?? []) their.saw(count);
      },
      error: (cause) => {
        throw cause;
      },
      complete: () => undefined,
    },
  );
  const change = (): Promise<unknown> => peer.sql("update todos set text = 'Changed' where id = 'row-0'");

  async function receiver(
    { frames, socket }: ReturnType<typeof tap>,
    told: Receiver['told'],
    close: Receiver['close'],
  ): Promise<Receiver> {
    const sent = await template(frames, change, (frame) => frame.includes('Changed'));
    const { payload, ...message } = JSON.parse(sent) as { payload: { data: { rows: readonly Row[] } } };
    const row = payload.data.rows.at(-1);
    return {
      frame(count) {
        // As Postgres writes it.
        const updated_at = new Date(Date.now() + 60_000 + count).toISOString().replace('Z', '000+00:00');
        const rows = [{ ...row, id: idOf(count), count, updated_at }];
        return textFrame(socket(), JSON.stringify({ ...message, payload: { data: { rows } } }));
      },
      told,
      close,
    };
  }
  return {
    ours: await receiver(mine, my.told, () => sync.close()),
    bare: await receiver(theirs, their.told, async () => client.dispose()),
    close: () => peer.close(),
  };
}
