import { expect, test } from 'vitest';
import type { Row } from '../../../bench/faults/backend.js';
import { startBackend } from '../../../bench/faults/backend.js';
import type { Device, Told } from '../../../bench/faults/device.js';
import { countTold, play, unlike } from '../../../bench/faults/stage.js';
import { syncLayerDevice } from '../../../bench/faults/synclayer-device.js';
import { seeded } from '../../seeded.js';

const told = (...counts: readonly (number | null)[]): Told[] => counts.map((count) => ({ id: '1', count }));
const rows = (...counts: readonly number[]): Map<string, Row> =>
  new Map(counts.map((count, index) => [`${index}`, { text: '', count }]));

test('events that say the same again, and events that go back, are counted', () => {
  expect(countTold(told(1, 2, 3, null, 4))).toEqual({ duplicate: 0, regressed: 0 });
  expect(countTold(told(1, 1, 2, null, null))).toEqual({ duplicate: 2, regressed: 0 });
  expect(countTold(told(1, 3, 2, 3, null, 2))).toEqual({ duplicate: 0, regressed: 2 });
  expect(countTold([...told(5), { id: '2', count: 1 }])).toEqual({ duplicate: 0, regressed: 0 });
});

test('records that are missing, older or too many are found', () => {
  expect(unlike(rows(1, 2, 3), rows(1, 2, 3))).toEqual([]);
  expect(unlike(rows(1, 2, 3), rows(1, 4))).toEqual(['1', '2']);
  expect(unlike(rows(1), rows(1, 2))).toEqual(['1']);
});

test('a device that loses a row, repeats an event and goes back is found out', async () => {
  const options = { cursor: 'sequence', deletes: 'tombstones' } as const;
  const backend = await startBackend(options);
  const open = async (): Promise<Device> => {
    const device = await syncLayerDevice(backend, options);
    const shown = async () => new Map([...(await device.rows())].filter(([id]) => id !== 'dropped'));
    const wrong = told(3, 3, 2);
    return { ...device, rows: shown, told: wrong };
  };
  const outcome = await play(backend, open, seeded(1), async ({ write }) => write('dropped'));
  await backend.close();
  expect(outcome).toMatchObject({ lost: 1, duplicate: 1, regressed: 1 });
});
