/**
 * 20 000 rows in two collections move from Supabase to Firestore and back while 5 clients go on writing, the command is killed
 * twice and Postgres crashes once. Run with `npm run prove:migrate [-- rows of each collection] [-- firestore]`.
 */
import { moveThereAndBack } from '../../test/peers/migrate/move.js';
import { firestorePlace, type Place, supabasePlace } from '../../test/peers/migrate/places.js';

const rows = Number(process.argv[2] ?? 10_000);
const [from, to] = [await supabasePlace(), await firestorePlace()];
/**
 * The emulator runs the query of every listener anew at each commit, over all documents: with 20 000 of them and 12 listeners that
 * takes seconds. So its clients ask once a minute, write every five seconds, and only the command listens.
 */
const polled: Place = {
  ...to,
  configFor: (owner) => ({ ...to.configFor(owner), enableRealtimeSync: false, syncInterval: 60_000 }),
};
try {
  const moved = await moveThereAndBack({
    from,
    to: polled,
    rows,
    clients: 5,
    pace: { from: 200, to: 5000 },
    log: console.log,
    hear: (text) => void process.stderr.write(text),
  });
  const { there, back, lost, unequal, refused, acknowledged, took } = moved;
  console.log(
    JSON.stringify(
      {
        rows: there.verification?.collections.map((each) => each.rows),
        acknowledged,
        took,
        held: { there: there.move?.held, back: back.move?.held },
        outcomes: [there.outcome, back.outcome],
        lost,
        unequal,
        refused,
      },
      null,
      2,
    ),
  );
  const bad = [...lost.there, ...lost.back, ...unequal, ...refused].length;
  if (bad > 0 || there.outcome !== 'equal' || back.outcome !== 'equal') process.exitCode = 1;
} finally {
  await from.close();
  await to.close();
}
