// In an app: import { createSyncLayer } from 'synclayer'.
import { type ConflictStrategy, createSyncLayer, type SyncStatus, type TransportConfig } from '../../../src/index.js';
import { todo } from '../todo.js';
import type { Wire } from './wire.js';

export type DeviceName = 'A' | 'B';
export type Strategy = Exclude<ConflictStrategy, 'custom'>;

interface OpenOptions {
  readonly transport: { readonly type: string };
  readonly store: string;
  readonly wire: Wire;
}

/** How a transport is told where its backend is. */
function place(type: string, { url, address }: Wire): object {
  if (type === 'firestore') return { emulator: address };
  return { url: type === 'websocket' ? url.replace(/^http/, 'ws') : url };
}

/** All that there is to SyncLayer in this demo. */
const open = ({ transport, store, wire }: OpenOptions, conflictStrategy: Strategy) =>
  createSyncLayer({
    // The server sends it as JSON, which TypeScript cannot check; createSyncLayer does.
    transport: { ...transport, ...place(transport.type, wire) } as TransportConfig,
    collections: { todos: { schema: todo } },
    store: { type: 'indexeddb', name: store },
    conflictStrategy,
    // So that a restored wire is noticed within a second. An app is kinder to its backend, and keeps the defaults.
    websocketReconnectDelay: 250,
    maxReconnectDelay: 1_000,
  });

export type DemoSync = Awaited<ReturnType<typeof open>>;

/** One device: a SyncLayer client, its wire and its strategy. */
export interface Device {
  readonly name: DeviceName;
  readonly wire: Wire;
  /** Another one after each change of strategy. */
  readonly sync: DemoSync;
  readonly strategy: Strategy;
  /** Closes the client and opens another over the same store: nothing is lost, unsent edits neither. */
  setStrategy(strategy: Strategy): Promise<void>;
  /** Resolves once the status is as `test` wants it. */
  until(test: (status: SyncStatus) => boolean): Promise<void>;
}

export interface DeviceOptions extends OpenOptions {
  readonly name: DeviceName;
  readonly strategy: Strategy;
  /** Called with each client, before anything happened to it. */
  readonly onOpen: (sync: DemoSync) => void;
}

export const isLive = ({ phase, pending }: SyncStatus): boolean => phase === 'live' && pending === 0;
export const isOffline = ({ phase }: SyncStatus): boolean => phase === 'offline';

export async function openDevice(options: DeviceOptions): Promise<Device> {
  let { strategy } = options;
  let sync = await open(options, strategy);
  options.onOpen(sync);
  return {
    name: options.name,
    wire: options.wire,
    get sync() {
      return sync;
    },
    get strategy() {
      return strategy;
    },
    async setStrategy(next) {
      strategy = next;
      await sync.close();
      sync = await open(options, next);
      options.onOpen(sync);
    },
    async until(test) {
      if (!test(sync.status)) await sync.events.once('statusChanged', test);
    },
  };
}
