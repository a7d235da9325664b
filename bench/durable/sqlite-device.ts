import { sqliteStore } from '../../src/store/sqlite.js';
import type { Device } from './device.js';
import { openDevice } from './synclayer-device.js';

export const openSqlite = (path: string): Promise<Device> => openDevice(sqliteStore({ path }));
