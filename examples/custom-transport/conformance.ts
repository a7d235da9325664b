import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConformanceBackend, type ConformanceOptions, createTcpProxy } from 'synclayer/testing';
import { type MqttBackendOptions, startMqttBackend } from './mqtt-backend.js';
import { mqttTransport } from './mqtt-transport.js';

/** What this suite needs beside its second hand on the data. */
interface MqttConformance extends ConformanceBackend {
  readonly url: string;
  /** Those that are let in. */
  readonly tokens: Set<string>;
  /** Collections that nobody may read. */
  readonly hidden: Set<string>;
}

/** A backend whose data outlives a restart, behind a proxy that cuts. */
async function startConformanceBackend(): Promise<MqttConformance> {
  const folder = mkdtempSync(join(tmpdir(), 'synclayer-mqtt-'));
  const tokens = new Set<string>();
  const hidden = new Set<string>();
  const options: MqttBackendOptions = {
    path: join(folder, 'mqtt.db'),
    authenticate: (token = '') => tokens.has(token),
    mayRead: (collection) => !hidden.has(collection),
    refuse: (_collection, { text }) => (text === 'refused' ? 'This text is not allowed.' : undefined),
  };
  let backend = await startMqttBackend(options);
  const proxy = await createTcpProxy({ port: backend.port });
  return {
    url: `mqtt://127.0.0.1:${proxy.port}`,
    tokens,
    hidden,
    write: async (collection, id, row) => void backend.write(collection, id, row),
    delete: async (collection, id) => void backend.delete(collection, id),
    read: async (collection) => backend.rows(collection),
    cut: async () => proxy.cut(),
    hang: async (on) => proxy.set({ blackHole: on }),
    async restart() {
      await backend.close();
      backend = await startMqttBackend(options);
      proxy.retarget(backend.port);
    },
    async close() {
      await proxy.close();
      await backend.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/**
 * What `describeTransport` must know of the MQTT transport.
 *
 * @example
 * import { describe, test } from 'node:test';
 * describeTransport({ describe, test }, mqttConformance);
 */
export const mqttConformance: ConformanceOptions<MqttConformance> = {
  name: 'mqtt',
  capabilities: mqttTransport({ url: 'mqtt://127.0.0.1' }).capabilities,
  backend: startConformanceBackend,
  // Short times make a short run.
  create: ({ url }) => mqttTransport({ url, keepalive: 1000, requestTimeout: 1000 }),
  refused: { text: 'refused', done: false, count: 0 },
  auth: {
    valid({ tokens }) {
      const token = crypto.randomUUID();
      tokens.add(token);
      return token;
    },
    invalid: 'nobody-knows-this-token',
    async expire({ tokens, cut }) {
      tokens.clear();
      // MQTT 3.1.1 has no word for it: the broker hangs up.
      await cut();
    },
  },
  permissions: {
    revoke: async ({ hidden }, collection) => void hidden.add(collection),
    grant: async ({ hidden }, collection) => void hidden.delete(collection),
  },
};
