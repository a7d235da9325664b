import { SyncLayerError } from '../errors.js';
import type { BackendTools } from './tools.js';

const tools: Readonly<Record<string, () => Promise<BackendTools>>> = {
  supabase: async () => (await import('../../adapters/supabase/tools/index.js')).supabaseTools,
  firestore: async () => (await import('../../adapters/firestore/tools/index.js')).firestoreTools,
  hasura: async () => (await import('../../adapters/hasura/tools/index.js')).hasuraTools,
  appsync: async () => (await import('../../adapters/appsync/tools/index.js')).appsyncTools,
};

/** Throws CONFIG_INVALID for what has none, with the backends that there are tools for. */
export async function toolsOf(backend: string): Promise<BackendTools> {
  if (Object.hasOwn(tools, backend) && tools[backend]) return tools[backend]();
  const known = Object.keys(tools).join(', ');
  if (backend === 'websocket') {
    const why = 'it is a server of your own, and makes its tables itself';
    throw new SyncLayerError(
      'CONFIG_INVALID',
      `A websocket backend has nothing to set up or examine: ${why}. Others have: ${known}.`,
    );
  }
  const message = `There is nothing to set up or examine for "${backend}". There is for: ${known}.`;
  throw new SyncLayerError('CONFIG_INVALID', message);
}
