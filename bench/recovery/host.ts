/** A server in a process of its own, with so many rows: `host.ts <rows>`. Told to change some, it says which change was the first. */
import { createSyncServer } from '../../src/server/index.js';

const size = Number(process.argv[2]);
const server = await createSyncServer({ collections: ['todos'] });
const todos = server.collection('todos');
let count = 0;
const save = (index: number): number =>
  todos.save(`row-${index}`, { text: `Task ${index}`, done: false, updatedAt: ++count, tags: ['a', 'b'] });
for (let index = 0; index < size; index++) save(index);
process.on('message', ({ change }: { change: number }) => {
  const first = save(0);
  for (let index = 1; index < change; index++) save((index * 7919) % size);
  process.send?.({ first, count });
});
process.on('disconnect', () => process.exit());
process.send?.({ url: server.url });
