/** Starts Postgres, says where, and waits to be killed. */
import { startPostgres } from './start-postgres.js';

const { pid, folder } = await startPostgres();
process.stdout.write(`${JSON.stringify({ pid, folder })}\n`);
