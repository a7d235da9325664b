import { afterAll, beforeAll, describe, test, vi } from 'vitest';
import { describeTransport } from '../../../src/testing/index.js';
import { closeSuite, firestoreConformance, startSuite } from './conformance.js';

vi.setConfig({ hookTimeout: 300_000 });
beforeAll(startSuite);
afterAll(closeSuite);

for (const options of firestoreConformance) describeTransport({ describe, test }, options);
