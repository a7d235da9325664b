import { isSyncLayerError, type SyncLayerError } from '../base/errors.js';
import type { LocalStore } from './store.js';

/** How long a store that is in use is waited for, and how often it is tried, in ms. */
const PATIENCE = 5000;
const STEP = 50;

const isBusy = (error: unknown): error is SyncLayerError => isSyncLayerError(error) && error.details.busy === true;

/**
 * Opens a store that was in use a moment ago. Who has it may be closing it: an effect of React's StrictMode that is run, cleaned up
 * and run again, a module that was replaced, the page before a reload. Throws the store's last error.
 */
export async function openWhenFree(store: LocalStore): Promise<void> {
  for (let left = PATIENCE; ; left -= STEP) {
    await new Promise((resolve) => setTimeout(resolve, STEP));
    try {
      return await store.open();
    } catch (error) {
      if (!isBusy(error) || left <= STEP) throw error;
    }
  }
}
