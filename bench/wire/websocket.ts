import { websocketTransport } from '../../adapters/websocket/index.js';
import { createSyncServer } from '../../src/server/index.js';
import { idOf, ROWS, type Stage, tap, template, textFrame, waiter, watched } from './receiver.js';

/** The protocol of our own: there is no SDK beside ours. */
export async function websocket(): Promise<Stage> {
  const server = await createSyncServer({ collections: ['todos'] });
  const todos = server.collection('todos');
  for (let index = 0; index < ROWS; index++) todos.save(idOf(index), { text: `Task ${index}`, done: false, count: 0 });
  const { Tapped, frames, socket } = tap();
  const { saw, told } = waiter();
  const sync = await watched(websocketTransport({ url: server.url, WebSocket: Tapped }), saw);
  const sent = await template(
    frames,
    () => todos.save('row-0', { text: 'Task 0', done: false, count: 1 }),
    (frame) => frame.includes('"update"'),
  );
  const base = JSON.parse(sent) as { data: object; metadata: { seq: number } };
  return {
    ours: {
      frame(count) {
        const seq = base.metadata.seq + count - 1;
        const [data, metadata] = [
          { ...base.data, count },
          { ...base.metadata, seq, version: seq },
        ];
        return textFrame(socket(), JSON.stringify({ ...base, recordId: idOf(count), data, metadata }));
      },
      told,
      close: () => sync.close(),
    },
    close: () => server.close(),
  };
}
