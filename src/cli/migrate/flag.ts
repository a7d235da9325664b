import { rename, writeFile } from 'node:fs/promises';
import { SyncLayerError } from '../../base/errors.js';
import type { SwitchFlag } from '../../migrate/types.js';
import { loadDefault } from '../load-config.js';

const isFlag = (value: unknown): value is SwitchFlag =>
  typeof value === 'object' && value !== null && typeof (value as Partial<SwitchFlag>).write === 'function';

/**
 * The flag that clients obey. `phase.json`: a file with `{ "phase": "hold" }`, for whoever serves it. A module: its default export
 * writes the phase to wherever clients read it. Throws CONFIG_INVALID.
 */
export async function flagOf(file: string): Promise<SwitchFlag> {
  if (file.endsWith('.json'))
    return {
      async write(phase) {
        // Never half a file.
        const next = `${file}.next`;
        await writeFile(next, `${JSON.stringify({ phase })}\n`);
        await rename(next, file);
      },
    };
  const exported = await loadDefault(file);
  if (isFlag(exported)) return exported;
  const example = 'export default { write: (phase) => putRemoteConfig({ phase }) }';
  throw new SyncLayerError('CONFIG_INVALID', `${file} needs a default export that writes the phase: ${example}.`);
}
