import { describe, expect, test } from 'vitest';
import { mqttConformance } from '../../../examples/custom-transport/conformance.js';
import { describeTransport } from '../../../src/testing/index.js';

const { leftOut } = describeTransport({ describe, test }, mqttConformance);

test('what is left out needs times, a way to hide a single row, or keys that a catch-up asks for', () => {
  expect([...new Set(leftOut.map(({ why }) => why))].sort()).toEqual([
    'its cursor counts no time',
    'its keys are compared by audits only',
    'the backend keeps no times of edits',
    'the suite was given no way to hide a single row',
  ]);
});
