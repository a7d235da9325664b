/**
 * A process that writes through the journal until it is killed. Each id whose flush resolved goes to stdout at once.
 * Arguments: the path, `full` or `normal`, and the first number to write.
 *
 * Append n writes its number in three places: a row of its own, a row that each append overwrites, and the cursor. A
 * batch is whole when the last two are equal, and every row up to them is there.
 */
import { createJournal } from '../../src/store/journal.js';
import { sqliteStore } from '../../src/store/sqlite.js';
import { report } from './report.js';

const [path = '', synchronous, first] = process.argv.slice(2);

const store = sqliteStore({ path, synchronous: synchronous === 'normal' ? 'normal' : 'full' });
await store.open();
const journal = createJournal(store, {
  onError(error) {
    report(`failed ${error.message}\n`);
    process.exit(1);
  },
});
report('open\n');

for (let n = Number(first); ; n++) {
  journal.append([
    { table: 'rows', key: ['todos', `row-${n}`], value: { n, text: 'x'.repeat(n % 300) } },
    { table: 'rows', key: ['todos', 'latest'], value: { n } },
    { table: 'outbox', key: ['todos', `op-${n}`], value: { n } },
    { table: 'outbox', key: ['todos', `op-${n - 1}`], value: undefined },
    { table: 'meta', key: ['todos', 'cursor'], value: n },
  ]);
  // Sometimes many appends share a commit, sometimes one has its own.
  if (n % 7 > 2) continue;
  await journal.flushed();
  report(`${n}\n`);
}
