/**
 * Two devices over MQTT, on a transport that is registered by name. Run with `npx tsx demo.ts`.
 */
import { createSyncLayer, registerTransport, type SyncLayerConfig } from 'synclayer';
import { startMqttBackend } from './mqtt-backend.js';
import { type MqttTransportOptions, mqttTransport } from './mqtt-transport.js';

registerTransport('mqtt', (options: MqttTransportOptions) => mqttTransport(options));

const backend = await startMqttBackend();
const config = { transport: { type: 'mqtt', url: backend.url }, collections: ['todos'] } satisfies SyncLayerConfig;
const [phone, laptop] = [await createSyncLayer(config), await createSyncLayer(config)];

const shown = new Promise((resolve) => {
  laptop.collection('todos').watch((rows) => rows.length > 0 && resolve(rows));
});
await phone.collection('todos').save({ text: 'Buy milk' }, '1');
console.log('laptop', await shown);

await phone.pause();
backend.delete('todos', '1');
await phone.collection('todos').save({ text: 'Written offline' }, '2');
console.log('phone', phone.status);
phone.resume();
await phone.syncNow();
console.log('backend', [...backend.rows('todos').values()]);

await Promise.all([phone.close(), laptop.close()]);
await backend.close();
