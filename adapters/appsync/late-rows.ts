import { type Change, type ChangeSink, createTimers, type Version } from '../../src/adapter-kit/kit.js';
import type { Item, Model } from './model.js';
import { fromItem } from './normalize.js';
import { COMPLETE } from './version.js';

/** What an event said of a row that must be read. */
interface Wanted {
  readonly gone: boolean;
  readonly atLeast: Version | undefined;
  readonly tries: number;
}

/** Rows that wait; more of them are left to a catch-up. */
const LIMIT = 1000;
/** Per query. */
const BATCH = 25;
/** DynamoDB's reads may lag behind its writes: the pauses between two looks, ms. */
const PAUSES = [50, 100, 200, 400];

/** Newer than any, for the delete of a row whose last version nobody tells. */
const newest = ({ versioned }: Model): Version => (versioned ? Number.MAX_SAFE_INTEGER : '9');

/** Reads the rows of events that do not say enough, and hands them to the sink whole. */
export function createLateRows(
  model: Model,
  sink: Pick<ChangeSink, 'change' | 'gap'>,
  byIds: (ids: readonly string[], signal: AbortSignal) => Promise<ReadonlyMap<string, Item | 'unreadable' | 'hidden'>>,
) {
  const wanted = new Map<string, Wanted>();
  const timers = createTimers<'again'>();
  const ended = new AbortController();
  const { signal } = ended;
  let reading = false;

  /** What was read, or undefined if it is older than the event. */
  function changeOf(id: string, { gone, atLeast, tries }: Wanted, item: Item | undefined): Change | undefined {
    const change: Change =
      (item && fromItem(model, item, COMPLETE)) ??
      ({ type: 'delete', collection: model.collection, recordId: id, version: newest(model), inferred: true } as const);
    const behind = atLeast !== undefined && change.version < atLeast;
    return tries < PAUSES.length && (behind || (change.type === 'delete') !== gone) ? undefined : change;
  }

  async function readBatch(): Promise<void> {
    const batch = [...wanted].slice(0, BATCH);
    for (const [id] of batch) wanted.delete(id);
    const items = await byIds(
      batch.map(([id]) => id),
      signal,
    );
    let pause = 0;
    for (const [id, entry] of batch) {
      // What an event said meanwhile is newer than this.
      if (signal.aborted || wanted.has(id)) continue;
      const item = items.get(id);
      // It is there, or may be: nothing can be said of it.
      if (typeof item === 'string') continue;
      const change = changeOf(id, entry, item);
      if (change) sink.change(change);
      else {
        pause = Math.max(pause, PAUSES[entry.tries] ?? 0);
        wanted.set(id, { ...entry, tries: entry.tries + 1 });
      }
    }
    if (pause > 0) await new Promise<void>((resolve) => timers.schedule('again', pause, resolve));
  }

  async function readAll(): Promise<void> {
    if (reading) return;
    reading = true;
    try {
      while (wanted.size > 0 && !signal.aborted) await readBatch();
    } catch {
      wanted.clear();
      if (!signal.aborted) sink.gap('a row could not be read');
    } finally {
      reading = false;
    }
  }

  return {
    /** `gone`: the event was a delete. `atLeast`: the version that it told. */
    want(id: string, gone: boolean, atLeast: Version | undefined): void {
      wanted.set(id, { gone, atLeast, tries: 0 });
      if (wanted.size <= LIMIT) return void readAll();
      wanted.clear();
      sink.gap('too many rows to read one by one');
    },
    close(): void {
      ended.abort();
      timers.close();
      wanted.clear();
    },
  };
}
