import { describe, expect, test } from 'vitest';
import { mqttConformance } from '../../../examples/custom-transport/conformance.js';
import { describeTransport } from '../../../src/testing/index.js';

const { leftOut } = describeTransport({ describe, test }, mqttConformance);

test('all that is left out is about cursors that count time', () => {
  expect([...new Set(leftOut.map(({ why }) => why))]).toEqual(['its cursor counts no time']);
});
