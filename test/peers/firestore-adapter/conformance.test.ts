import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeTransport } from '../../../src/testing/index.js';
import { closeSuite, firestoreConformance, startSuite } from './conformance.js';

beforeAll(startSuite);
afterAll(closeSuite);

for (const options of firestoreConformance) describeTransport({ describe, test }, options);
