import { join } from 'node:path';
import { folders, isInstalled } from '../../../../scripts/installed.js';
import { createPeerProcess } from '../../../../src/testing/index.js';
import type { Model } from '../model.js';
import { startBridge } from './bridge.js';

export interface AppsyncSimulator {
  /** `http://127.0.0.1:PORT/graphql`. */
  readonly endpoint: string;
  /** Sockets of clients that are open. */
  readonly connections: number;
  /** Ends every socket, as a lost network does. */
  drop(): void;
  /** The process is killed. */
  close(): Promise<void>;
}

/** AWS's own simulator, in a process of its own behind a bridge. Its packages are installed by `npm run test:appsync-simulator`. */
export async function startSimulator(models: readonly Model[], apiKey: string): Promise<AppsyncSimulator> {
  if (!isInstalled('simulator'))
    throw new Error("AppSync's simulator is not installed. Run npm run test:appsync-simulator, which does it.");
  const simulator = await createPeerProcess({
    command: process.execPath,
    args: ['--import', 'tsx', join(folders.simulator, 'simulator-process.ts'), JSON.stringify(models), apiKey],
    ready: /^AppSync's simulator is on port (\d+)$/m,
    timeout: 300_000,
  });
  const bridge = await startBridge(simulator.port);
  return {
    endpoint: `http://127.0.0.1:${bridge.port}/graphql`,
    get connections() {
      return bridge.connections;
    },
    drop: bridge.drop,
    async close() {
      await bridge.close();
      await simulator.close();
    },
  };
}
