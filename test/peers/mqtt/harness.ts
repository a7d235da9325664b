import { onTestFinished } from 'vitest';
import {
  type MqttBackend,
  type MqttBackendOptions,
  startMqttBackend,
} from '../../../examples/custom-transport/mqtt-backend.js';
import { type MqttTransportOptions, mqttTransport } from '../../../examples/custom-transport/mqtt-transport.js';
import { topics } from '../../../examples/custom-transport/protocol.js';
import type { SyncLayerInstance } from '../../../src/instance.js';
import { type DeviceConfig, device } from '../websocket/harness.js';

export async function startBackend(options: MqttBackendOptions = {}): Promise<MqttBackend> {
  const backend = await startMqttBackend(options);
  onTestFinished(() => backend.close());
  return backend;
}

/** A device over MQTT. */
export const mqttDevice = (options: MqttTransportOptions, config: DeviceConfig = {}): Promise<SyncLayerInstance> =>
  device({ transport: mqttTransport(options), ...config });

/** The broker drops the changes that hold this text, as it does when a client is too slow. */
export function loseChangesWith({ broker }: MqttBackend, text: string): void {
  const { authorizeForward } = broker;
  broker.authorizeForward = (client, packet) =>
    packet.topic.includes('/changes/') && packet.payload.includes(text) ? null : authorizeForward(client, packet);
}

/** Tells the clients of a collection anything, as a broken backend would. */
export const tell = ({ broker }: MqttBackend, collection: string, payload: string): Promise<void> =>
  new Promise((resolve) => {
    const topic = topics('synclayer').changes(collection);
    broker.publish({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false }, () => resolve());
  });
