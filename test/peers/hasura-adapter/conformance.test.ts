import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeTransport } from '../../../src/testing/index.js';
import { closeSuite, hasuraConformance, startSuite } from './conformance.js';

beforeAll(startSuite);
afterAll(closeSuite);

for (const options of hasuraConformance) describeTransport({ describe, test }, options);
