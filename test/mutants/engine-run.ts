/**
 * Runs the suite over a memory transport and prints, as JSON, the first scenario that fails. It is bundled together with
 * an engine that has one line made wrong, and run as a process of its own.
 */
import { type MemoryTransportOptions, memoryTransport } from '../../src/testing/index.js';
import { firstFailure, memorySuite } from './first-failure.js';

const kind = JSON.parse(process.argv[2] ?? '{}') as Omit<MemoryTransportOptions, 'backend'>;
// What a mistake leaves uncaught is the app's console, not the end of the process.
process.on('uncaughtException', () => undefined);
const found = await firstFailure(memorySuite(kind, memoryTransport(kind).capabilities));
console.log(JSON.stringify(found ?? null));
process.exit();
