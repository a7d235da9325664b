import type { BackendTools } from '../adapter-kit/doctor/tools.js';
import { SyncLayerError } from '../base/errors.js';

const tools: Readonly<Record<string, () => Promise<BackendTools>>> = {
  supabase: async () => (await import('../../adapters/supabase/doctor/index.js')).supabaseTools,
  firestore: async () => (await import('../../adapters/firestore/doctor/index.js')).firestoreTools,
  hasura: async () => (await import('../../adapters/hasura/doctor/index.js')).hasuraTools,
  appsync: async () => (await import('../../adapters/appsync/doctor/index.js')).appsyncTools,
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
