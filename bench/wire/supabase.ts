import { createClient } from '@supabase/supabase-js';
import { placeOf, setupSql } from '../../adapters/supabase/doctor/setup.js';
import { supabaseTransport } from '../../adapters/supabase/index.js';
import { startSupabasePeer } from '../../test/peers/supabase/index.js';
import { idOf, type Receiver, ROWS, type Stage, tap, template, textFrame, waiter, watched } from './receiver.js';

/** Beside the callback of supabase-js' own channel. */
export async function supabase(): Promise<Stage> {
  const peer = await startSupabasePeer({
    schema: `create table todos (id text primary key, count int not null default 0, text text, done boolean);
      ${setupSql([placeOf('todos')], 'postgres_changes')}
      grant all on todos to anon;
      insert into todos (id, text, done) select 'row-' || n, 'Task ' || n, false from generate_series(0, ${ROWS - 1}) n`,
  });
  const [mine, theirs, my, their] = [tap(), tap(), waiter(), waiter()];
  const sync = await watched(supabaseTransport({ url: peer.url, key: peer.anonKey, WebSocket: mine.Tapped }), my.saw);
  const client = createClient(peer.url, peer.anonKey, { realtime: { transport: theirs.Tapped } });
  client
    .channel('bench')
    .on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ new: row }) =>
      their.saw((row as { count?: number }).count),
    )
    .subscribe();
  const change = (): Promise<unknown> => peer.sql("update todos set count = 1 where id = 'row-0'");

  async function receiver(
    { frames, socket }: ReturnType<typeof tap>,
    told: Receiver['told'],
    close: Receiver['close'],
  ): Promise<Receiver> {
    const sent = await template(frames, change, (frame) => frame.includes('"UPDATE"'));
    const [, , topic, event, payload] = JSON.parse(sent) as [null, null, string, string, { data: { record: object } }];
    return {
      frame(count) {
        const updated_at = new Date(Date.now() + 60_000 + count).toISOString();
        const record = { ...payload.data.record, id: idOf(count), count, updated_at };
        const data = { ...payload.data, record, old_record: { id: idOf(count) } };
        return textFrame(socket(), JSON.stringify([null, null, topic, event, { ...payload, data }]));
      },
      told,
      close,
    };
  }
  return {
    ours: await receiver(mine, my.told, () => sync.close()),
    bare: await receiver(theirs, their.told, () => client.removeAllChannels()),
    close: () => peer.close(),
  };
}
