import { expect, onTestFinished, test } from 'vitest';
import { failoverTransport, mirrorTransport, pollingTransport, shadowTransport } from '../../../src/compose/index.js';
import { createSyncLayer } from '../../../src/index.js';
import { memoryTransport, withFaults } from '../../../src/testing/index.js';
import { capabilitiesOf } from '../../../src/transport/capabilities.js';
import type { RealtimeTransport, TransportCapabilities } from '../../../src/transport/transport.js';
import { backendWith, closed, settle } from '../../conformance/laws/harness.js';

/** `notes` differ from all others. */
function differing(notes: Partial<TransportCapabilities>) {
  const keysOf: string[] = [];
  const memory = memoryTransport({ backend: backendWith({}), deletes: 'none' });
  const transport: RealtimeTransport = {
    ...memory,
    capabilitiesOf: (collection) =>
      collection === 'notes' ? { ...memory.capabilities, ...notes } : memory.capabilities,
    keys(collection, options) {
      keysOf.push(collection);
      return (memory.keys as NonNullable<RealtimeTransport['keys']>)(collection, options);
    },
  };
  return { memory, transport, keysOf };
}

async function opened(transport: RealtimeTransport) {
  const sync = await createSyncLayer({ transport, collections: ['todos', 'notes'] });
  onTestFinished(() => closed(sync as never));
  await settle();
  return sync;
}

test('a collection pays for what itself lacks', async () => {
  const { memory, transport, keysOf } = differing({ deletes: 'tombstones' });
  memory.backend.write('todos', 'a', { n: 1 });
  const sync = await opened(transport);
  keysOf.length = 0;
  await sync.syncNow();
  expect(keysOf).toEqual(['todos']);
});

test('a collection that is read-only keeps no edit of another back', async () => {
  const { memory, transport } = differing({ push: false });
  const sync = await opened(transport);
  await sync.collection('notes').save({ n: 1 }, 'mine');
  await sync.collection('todos').save({ n: 1 }, 'mine');
  await settle();
  expect([...memory.backend.rows('todos').keys()]).toEqual(['mine']);
  expect([...memory.backend.rows('notes').keys()]).toEqual([]);
  expect(sync.outbox.pending().map(({ collection }) => collection)).toEqual(['notes']);
  expect(sync.metrics().errors.UNSUPPORTED).toBeGreaterThan(0);
});

test('what is made of a transport can do in a collection what that one can', () => {
  const { transport } = differing({ deletes: 'tombstones' });
  const other = memoryTransport({ backend: backendWith({}) });
  const made = {
    failover: failoverTransport([transport, other]),
    mirror: mirrorTransport({ primary: transport, secondary: other }),
    shadow: shadowTransport({ primary: transport, secondary: other }),
    faults: withFaults(transport).transport,
    polling: pollingTransport(transport),
  };
  for (const [name, composed] of Object.entries(made))
    expect(
      ['todos', 'notes'].map((collection) => capabilitiesOf(composed, collection).deletes),
      name,
    ).toEqual(['none', 'tombstones']);
  expect(capabilitiesOf(made.polling, 'notes').live).toBe(false);
  expect(capabilitiesOf(other, 'notes')).toBe(other.capabilities);
});
