import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import { createSyncLayer } from '../../../src/index.js';
import { createEmitter, type EventName, type SyncEvents } from '../../../src/observe/events.js';
import { createLogger, type LogLevel } from '../../../src/observe/logger.js';
import { createMetrics } from '../../../src/observe/metrics.js';

import { memoryTransport } from '../../../src/testing/index.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Runs `task` and resolves with the error that nobody catches. */
function uncaught(task: () => void): Promise<unknown> {
  // Vitest has listeners of its own, which would fail the run.
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  return new Promise((resolve) => {
    process.once('uncaughtException', (error) => {
      for (const listener of others) process.on('uncaughtException', listener);
      resolve(error);
    });
    task();
  });
}

describe('logger', () => {
  const collect = () => {
    const lines: [LogLevel, string, object | undefined][] = [];
    const customLogger = (level: LogLevel, message: string, details?: object) => {
      lines.push([level, message, details]);
    };
    return { lines, customLogger };
  };

  test('is silent until it is set up', () => {
    const { lines, customLogger } = collect();
    const spies = (['debug', 'info', 'warn', 'error'] as const).map((level) => vi.spyOn(console, level));
    const { log, configure } = createLogger();
    log('error', 'not heard');
    configure({ customLogger });
    log('debug', 'below info');
    log('info', 'heard', { a: 1 });
    configure({ minLevel: 'error' });
    log('warn', 'below error');
    log('error', 'heard too');
    configure({ enabled: false });
    log('error', 'not heard');
    expect(lines).toEqual([
      ['info', 'heard', { a: 1 }],
      ['error', 'heard too', undefined],
    ]);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  test('a configuration turns it on, unless it says no', () => {
    const { lines, customLogger } = collect();
    createLogger({ customLogger }).log('info', 'heard');
    createLogger({ customLogger, enabled: false }).log('error', 'not heard');
    expect(lines).toHaveLength(1);
  });

  test('writes to the console by level', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const debug = vi.spyOn(console, 'debug').mockImplementation(() => undefined);
    const { log } = createLogger({ minLevel: 'debug' });
    log('warn', 'careful', { code: 'X' });
    log('debug', 'detail');
    expect(warn).toHaveBeenCalledWith('[synclayer] careful', { code: 'X' });
    expect(debug).toHaveBeenCalledWith('[synclayer] detail');
  });

  test('one that throws stops nothing, and is not hidden', async () => {
    const failure = new Error('disk full');
    const { log } = createLogger({
      customLogger: () => {
        throw failure;
      },
    });
    expect(await uncaught(() => expect(() => log('info', 'x')).not.toThrow())).toBe(failure);
  });
});

describe('events', () => {
  const queued: SyncEvents['operationQueued'] = { collection: 'a', recordId: '1', opId: 'o', operation: 'insert' };

  test('reach each listener until it is taken off', () => {
    const events = createEmitter();
    const seen: string[] = [];
    const off = events.on('operationQueued', ({ recordId }) => {
      seen.push(`first ${recordId}`);
      off();
    });
    events.on('operationQueued', ({ recordId }) => void seen.push(`second ${recordId}`));
    events.emit('operationQueued', queued);
    events.emit('operationQueued', { ...queued, recordId: '2' });
    events.emit('operationSynced', queued);
    expect(seen).toEqual(['first 1', 'second 1', 'second 2']);
    expect([events.has('operationQueued'), events.has('error')]).toEqual([true, false]);
    events.clear();
    events.emit('operationQueued', queued);
    expect(seen).toHaveLength(3);
  });

  test.each<[unknown, unknown, string]>([
    ['syncComplete', () => undefined, '"syncComplete" is no event; did you mean "syncCompleted"?'],
    ['realtimeconnected', () => undefined, '"realtimeconnected" is no event; did you mean "realtimeConnected"?'],
    ['toString', () => undefined, '"toString" is no event; known are error, '],
    [undefined, () => undefined, '"undefined" is no event; known are error, '],
    ['error', undefined, '"error" needs a function'],
    ['error', 'log', '"error" needs a function'],
  ])('of %o cannot be given to %o', async (name, listener, message) => {
    const events = createEmitter();
    const problem = { code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) };
    expect(() => events.on(name as never, listener as never)).toThrow(expect.objectContaining(problem));
    if (name !== 'error') await expect(events.once(name as never)).rejects.toMatchObject(problem);
  });

  test('the Flutter names of the remote events are theirs', () => {
    const events = createEmitter();
    const seen: string[] = [];
    events.on('realtimeDelete', ({ recordId }) => void seen.push(recordId));
    expect([events.has('remoteDelete'), events.has('realtimeInsert')]).toEqual([true, false]);
    events.emit('remoteDelete', { collection: 'a', recordId: '1' });
    expect(seen).toEqual(['1']);
  });

  test('are known by each of their names', () => {
    const source = readFileSync('src/observe/events.ts', 'utf8');
    const [, body = ''] = /interface SyncEvents \{(.*?)\n\}/s.exec(source) ?? [];
    const names = [...body.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(15);
    const events = createEmitter();
    let known: string[] = [];
    try {
      events.on('?' as EventName, () => undefined);
    } catch (error) {
      known = (error as Error).message.replace(/^.* known are /, '').split(', ');
    }
    expect(known.sort()).toEqual(names.sort());
  });

  test('once gives the next that fits, and listens no longer', async () => {
    const events = createEmitter();
    const next = events.once('connectivityChanged', ({ online }) => online);
    events.emit('connectivityChanged', { online: false });
    expect(events.has('connectivityChanged')).toBe(true);
    events.emit('connectivityChanged', { online: true });
    expect(await next).toEqual({ online: true });
    expect(events.has('connectivityChanged')).toBe(false);
  });

  test('a listener that throws harms no other, and is not hidden', async () => {
    const events = createEmitter();
    const failure = new Error('in the app');
    let heard = false;
    events.on('operationQueued', () => {
      throw failure;
    });
    events.on('operationQueued', () => {
      heard = true;
    });
    expect(await uncaught(() => events.emit('operationQueued', queued))).toBe(failure);
    expect(heard).toBe(true);
  });
});

describe('metrics', () => {
  test('before anything has happened', () => {
    expect(createMetrics().snapshot()).toEqual({
      connection: { attempts: 0, failures: 0, successRate: 1, connectTime: 0, reconnects: 0, connectedFor: 0 },
      messages: { in: 0, out: 0, bytesIn: 0, bytesOut: 0, inPerSecond: 0, outPerSecond: 0, averageSize: 0 },
      latency: { count: 0, p50: 0, p95: 0, max: 0 },
      sync: { attempts: 0, failures: 0, successRate: 1, averageDuration: 0, lastSyncAt: undefined },
      operations: { queued: 0, synced: 0, failed: 0 },
      conflicts: 0,
      changes: { applied: 0, invalid: 0 },
      reads: 0,
      errors: {},
    });
  });

  test('connections: attempts, times, how long they lasted', () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const metrics = createMetrics();
    metrics.connectAttempt(false, 900);
    metrics.connectAttempt(true, 100);
    metrics.connected(true);
    vi.advanceTimersByTime(5000);
    metrics.connected(true);
    vi.advanceTimersByTime(1000);
    expect(metrics.snapshot().connection.connectedFor).toBe(6000);
    metrics.connected(false);
    metrics.connected(false);
    vi.advanceTimersByTime(10_000);
    metrics.connectAttempt(true, 300);
    metrics.connected(true);
    vi.advanceTimersByTime(500);
    expect(metrics.snapshot().connection).toEqual({
      attempts: 3,
      failures: 1,
      successRate: 2 / 3,
      connectTime: 200,
      reconnects: 1,
      connectedFor: 6500,
    });
  });

  test('messages: a rate over the last ten seconds, that falls when it is quiet', () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const metrics = createMetrics();
    for (let i = 0; i < 30; i++) metrics.traffic('in', 100);
    metrics.traffic('out', 400);
    vi.advanceTimersByTime(4000);
    for (let i = 0; i < 20; i++) metrics.traffic('in', 50);
    const { messages } = metrics.snapshot();
    expect(messages).toMatchObject({ in: 50, out: 1, bytesIn: 4000, bytesOut: 400, inPerSecond: 5, outPerSecond: 0.1 });
    expect(messages.averageSize).toBeCloseTo(4400 / 51);
    vi.advanceTimersByTime(5999);
    expect(metrics.snapshot().messages.inPerSecond).toBe(5);
    vi.advanceTimersByTime(1);
    expect(metrics.snapshot().messages).toMatchObject({ inPerSecond: 2, outPerSecond: 0 });
    vi.advanceTimersByTime(4000);
    expect(metrics.snapshot().messages).toMatchObject({ in: 50, inPerSecond: 0 });
    vi.advanceTimersByTime(3_600_000);
    metrics.traffic('in', 1);
    expect(metrics.snapshot().messages.inPerSecond).toBe(0.1);
  });

  test('latency: of the last 500', () => {
    const metrics = createMetrics();
    metrics.latency(9_999);
    for (let ms = 1; ms <= 500; ms++) metrics.latency(ms);
    expect(metrics.snapshot().latency).toEqual({ count: 501, p50: 251, p95: 476, max: 500 });
    metrics.latency(-5);
    expect(metrics.snapshot().latency.max).toBe(500);
  });

  test('rounds and errors', () => {
    vi.useFakeTimers({ now: 1_000_000 });
    const metrics = createMetrics();
    metrics.synced(true, 100);
    metrics.synced(false, 5000);
    metrics.synced(true, 300);
    metrics.error('CONNECTION_LOST');
    metrics.error('CONNECTION_LOST');
    metrics.error('CONFLICT');
    const { sync, errors } = metrics.snapshot();
    expect(sync).toEqual({
      attempts: 3,
      failures: 1,
      successRate: 2 / 3,
      averageDuration: 200,
      lastSyncAt: 1_000_000,
    });
    expect(errors).toEqual({ CONNECTION_LOST: 2, CONFLICT: 1 });
    metrics.error('CONFLICT');
    expect(errors).toEqual({ CONNECTION_LOST: 2, CONFLICT: 1 });
  });
});

describe('what will never work as it is', () => {
  const broken = async (options: { logger?: { enabled: boolean }; listen?: boolean }) => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const transport = memoryTransport();
    const refusal = new SyncLayerError('PEER_MISSING', 'npm install the-sdk');
    const sync = await createSyncLayer({
      transport: { ...transport, connect: () => Promise.reject(refusal) },
      collections: ['todos'],
      ...(options.logger && { logger: options.logger }),
    });
    const heard: string[] = [];
    if (options.listen) sync.events.on('error', ({ error: { code } }) => heard.push(code));
    if (sync.status.phase !== 'failed') await sync.events.once('statusChanged', ({ phase }) => phase === 'failed');
    await sync.close();
    const said = error.mock.calls.map(([text]) => text);
    error.mockRestore();
    return { said, heard };
  };

  test('is said on the console where nobody would hear of it', async () => {
    expect((await broken({})).said).toEqual(['[synclayer] npm install the-sdk']);
  });

  test('but not to whoever listens, or has asked for silence', async () => {
    expect(await broken({ listen: true })).toEqual({ said: [], heard: ['PEER_MISSING'] });
    expect((await broken({ logger: { enabled: false } })).said).toEqual([]);
  });
});
