/** A server in a process of its own, to be killed. Arguments: the database file, the port. Says its URL when it listens. */
import { createSyncServer, sqliteServerStore } from '../../../src/server/index.js';

const [path = '', port] = process.argv.slice(2);
const server = await createSyncServer({ port: Number(port), store: sqliteServerStore({ path }) });
process.stdout.write(`${server.url}\n`);
