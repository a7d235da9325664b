import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { Leftovers } from '../peers/websocket/closing-process.js';
import { start } from '../peers/websocket/processes.js';

test.each(['platform', 'ws'] as const)(
  'nothing is left after close, with the WebSocket of: %s',
  { timeout: 300_000 },
  async (kind) => {
    const child = start('closing-process.ts', kind);
    const exited = once(child.child, 'exit');
    const found: Leftovers[] = [];
    for await (const line of child.lines) found.push(JSON.parse(line) as Leftovers);
    expect(found.map(({ name }) => name)).toEqual([
      'live',
      'a token that will end',
      'before the next attempt',
      'connecting to nobody',
      'auth unanswered',
      'subscribe unanswered',
      'pull unanswered',
      'push unanswered',
      'held up by a rate limit',
      'polling',
      'polling nobody',
      ...(kind === 'ws' ? ['half-open'] : []),
    ]);
    for (const { name, resources, connections, lateEvents, took } of found) {
      expect(resources, name).toEqual([]);
      expect(connections, name).toBe(0);
      expect(lateEvents, name).toBe(0);
      // Some wait a second for the other side, and none for a timer of its own.
      expect(took, name).toBeLessThan(30_000);
    }
    // Nobody called exit: it ended because nothing was left to wait for.
    expect(await exited).toEqual([0, null]);
  },
);
