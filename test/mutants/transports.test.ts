import { afterAll, expect, test } from 'vitest';
import { memoryTransport } from '../../src/testing/index.js';
import { type Failure, firstFailure, memorySuite, table } from './first-failure.js';
import { SEQUENCE, transportMutants } from './transports.js';

const caught: (Failure & { readonly mutant: string })[] = [];
afterAll(() => console.log(`Transports that are broken on purpose\n${table(caught)}`));

for (const { name, kind = SEQUENCE, breaks } of transportMutants)
  test(name, { timeout: 300_000 }, async () => {
    const found = await firstFailure(memorySuite(kind, memoryTransport(kind).capabilities, breaks));
    expect(found, `No scenario caught "${name}".`).toBeDefined();
    if (found) caught.push({ mutant: name, ...found });
  });
