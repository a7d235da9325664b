import { SyncLayerError } from '../errors.js';
import type { BackendTools } from './tools.js';

const tools: Readonly<Record<string, () => Promise<BackendTools>>> = {
  supabase: async () => (await import('../../adapters/supabase/tools/index.js')).supabaseTools,
  firestore: async () => (await import('../../adapters/firestore/tools/index.js')).firestoreTools,
  hasura: async () => (await import('../../adapters/hasura/tools/index.js')).hasuraTools,
  appsync: async () => (await import('../../adapters/appsync/tools/index.js')).appsyncTools,
};

/** Throws CONFIG_INVALID with the backends that there are tools for. */
export async function toolsOf(backend: string): Promise<BackendTools> {
  if (Object.hasOwn(tools, backend) && tools[backend]) return tools[backend]();
  const message = `There is nothing to set up or examine for "${backend}". There is for: ${Object.keys(tools).join(', ')}.`;
  throw new SyncLayerError('CONFIG_INVALID', message);
}
