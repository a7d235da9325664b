/** A Supabase of test/peers in a process of its own: what it does takes no time of who measures. Ends with its stdin. */
import { supabasePlace } from '../../test/peers/migrate/places.js';

const place = await supabasePlace();
process.stdout.write(`${JSON.stringify(place.config.transport)}\n`);
process.stdin.resume().once('end', () => void place.close());
