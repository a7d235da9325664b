/** Starts an emulator, says which process it is, and waits to be killed. */
import { startEmulator } from './start-emulator.js';

const { pid } = await startEmulator();
process.stdout.write(`${pid}\n`);
