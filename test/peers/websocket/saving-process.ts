/**
 * An app that saves until it is killed. Each id whose save() resolved goes to stdout at once. Arguments: the database
 * file, the address of the server, the number of the first record.
 */
import { createSyncLayer } from '../../../src/index.js';
import { report } from '../../faults/report.js';

const [path = '', websocketUrl = '', first] = process.argv.slice(2);
const sync = await createSyncLayer({
  websocketUrl,
  websocketReconnectDelay: 20,
  collections: ['todos'],
  store: { type: 'sqlite', path },
});
const todos = sync.collection('todos');
report('open\n');

for (let n = Number(first); ; n++) {
  // Some alone, some together with others.
  const ids = Array.from({ length: 1 + (n % 3) }, (_, part) => `t${n}.${part}`);
  if (ids.length === 1) await todos.save({ n }, ids[0]);
  else await todos.saveMany(ids.map((id) => ({ id, n })));
  report(`${ids.map((id) => `${id}\n`).join('')}`);
}
