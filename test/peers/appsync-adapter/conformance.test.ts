import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeTransport } from '../../../src/testing/index.js';
import { appsyncConformance, closeSuite, startSuite } from './conformance.js';

beforeAll(startSuite);
afterAll(closeSuite);

for (const options of appsyncConformance) describeTransport({ describe, test }, options);
