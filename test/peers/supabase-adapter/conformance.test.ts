import { afterAll, beforeAll, describe, test } from 'vitest';
import { describeTransport } from '../../../src/testing/index.js';
import { closeSuite, startSuite, supabaseConformance } from './conformance.js';

beforeAll(startSuite);
afterAll(closeSuite);

for (const options of supabaseConformance) describeTransport({ describe, test }, options);
