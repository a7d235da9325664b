import { toSyncLayerError } from './kit.js';

/** A part of the adapter that is in a chunk of its own. A browser that is offline cannot load it, and tries again. */
export const loadPart = <T>(load: () => Promise<T>): Promise<T> =>
  load().catch((error: unknown) => {
    throw toSyncLayerError(error, 'CONNECTION_LOST', 'A part of the transport could not be loaded.');
  });
