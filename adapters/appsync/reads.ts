import {
  type Change,
  type Cursor,
  isObject,
  isSyncLayerError,
  type PullPage,
  type PullRequest,
  type RecordKey,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { advance, begin, type Place, placeOf } from './cursor.js';
import type { ErrorEntry } from './failure.js';
import { type Answer, type Ask, failureOf } from './http.js';
import type { Item, Model } from './model.js';
import { fromItem, idOf } from './normalize.js';
import type { ParsedOptions } from './options.js';
import { problem } from './problem.js';
import { COMPLETE } from './version.js';

/** Rows by id in one query: each costs AppSync a resolver. */
const BATCH = 25;

/** Keys per request; DynamoDB reads at most 1 MB for a page. */
const KEYS = 1000;

/** Items by their ids. `unreadable`: it is there; `hidden`: if so, not for this user. */
export type ById = Map<string, Item | 'unreadable' | 'hidden'>;

/** All that is read by HTTP. */
export function createReads(ask: Ask, options: ParsedOptions, host: () => TransportHost) {
  const { overlap, deltaTtl } = options;
  /** What was reported: the same item is read again and again. */
  const reported = new Set<string>();
  function report(code: 'VALIDATION_FAILED' | 'PROTOCOL_VIOLATION', message: string): void {
    if (reported.has(message)) return;
    reported.add(message);
    host().report(problem(code, message));
  }

  /** Each is charged for; a query that finds nothing costs as much as one. */
  const count = (rows: number): void => host().reads?.(Math.max(1, rows));

  /** Reports what cannot be read of single items. Throws where that is no fault of theirs. `depth`: of an item's own path. */
  async function itemErrors(what: string, errors: readonly ErrorEntry[], depth: number): Promise<void> {
    for (const entry of errors) {
      const error = await failureOf(what, 'read', 200, [entry]);
      const isOfItem = Array.isArray(entry.path) && entry.path.length >= depth;
      // A null where the schema allows none is told without a type, or as a failure of AppSync's own.
      const isFinal = error.code === 'SUBSCRIBE_REJECTED' || /non-null/.test(String(entry.message));
      if (!isOfItem || !isFinal) throw error;
      const field = entry.path.length > depth ? ` (${String(entry.path.at(-1))})` : '';
      report(
        'VALIDATION_FAILED',
        `${what}: a part of an item${field} cannot be read: ${String(entry.message)}. It is left out. Correct it at its source.`,
      );
    }
  }

  /** `items` of a page. One that cannot be read, e.g. for a field that must not be null and is, keeps no others back. */
  async function pageOf(what: string, field: string, { data, errors, serverTime }: Answer) {
    const page = data[field];
    if (!isObject(page) || !Array.isArray(page.items))
      throw await failureOf(what, 'read', 200, errors.length > 0 ? errors : [{ message: `no ${field}` }]);
    await itemErrors(what, errors, 3);
    const { nextToken, startedAt } = page as { nextToken?: string | null; startedAt?: number };
    const items: readonly unknown[] = page.items.filter((item) => item !== null);
    const incomplete = items.length < page.items.length;
    return { items, incomplete, token: nextToken ?? undefined, startedAt, serverTime: startedAt ?? serverTime };
  }

  /** The delta table holds each change by itself: of a row only the newest on the page is news. */
  function toChanges(model: Model, items: readonly unknown[]) {
    const changes = new Map<string, Change>();
    let incomplete = false;
    for (const item of items) {
      const change = isObject(item) ? fromItem(model, item) : undefined;
      const before = change && changes.get(change.recordId);
      if (change && !(before && before.version > change.version)) changes.set(change.recordId, change);
      if (change) continue;
      incomplete = true;
      const id = isObject(item) ? idOf(model, item) : undefined;
      const what = id === undefined ? 'An item' : `The item ${JSON.stringify(id)}`;
      const lacks = id === undefined ? 'usable key' : model.versioned ? '_version' : `usable ${model.updatedAt}`;
      report(
        'PROTOCOL_VIOLATION',
        `${what} of "${model.collection}" has no ${lacks}; it is left out. Set it once, by any write.`,
      );
    }
    return { changes: [...changes.values()], incomplete };
  }

  /** A new reading. */
  function start(model: Model, place: Place): Place {
    const begun = Date.now();
    const from = place.since === undefined ? undefined : Math.max(0, place.since - overlap);
    // What the delta table has forgotten only the base table tells. Asked for without `lastSync`, it is that for certain.
    const forgotten = model.versioned && from !== undefined && from < begun - deltaTtl;
    return { ...place, begun, from: forgotten ? undefined : from };
  }

  async function next(model: Model, from: Place, limit: number, signal: AbortSignal) {
    const place = from.token ? from : start(model, from);
    const request = model.page({ from: place.from, limit, nextToken: place.token });
    const what = `Reading "${model.collection}"`;
    const page = await pageOf(what, request.field, await ask(what, 'read', request, signal));
    // A filter is applied to what was read: a page that is not the last has read as much as it may hold.
    count(page.token && !model.versioned ? Math.max(limit, page.items.length) : page.items.length);
    const { serverTime = Number.POSITIVE_INFINITY } = page;
    const { changes, incomplete } = toChanges(model, page.items);
    // A time in the future must not hide those of the present.
    const newest = Math.max(0, ...changes.map(({ timestamp = 0 }) => Math.min(timestamp, serverTime)));
    return {
      changes,
      incomplete: incomplete || page.incomplete,
      serverTime: page.startedAt,
      at: advance(place, { ...page, newest }, Date.now()),
    };
  }

  async function byIds(model: Model, ids: readonly string[], signal: AbortSignal): Promise<ById> {
    const what = `Reading rows of "${model.collection}"`;
    const found: ById = new Map();
    for (let from = 0; from < ids.length; from += BATCH) {
      const part = ids.slice(from, from + BATCH);
      const { data, errors } = await ask(what, 'read', model.get(part), signal);
      count(part.length);
      await itemErrors(what, errors, 1);
      for (const [at, id] of part.entries()) {
        const item = data[`a${at}`];
        if (isObject(item)) found.set(id, fromItem(model, item) ? item : 'unreadable');
        else {
          const entry = errors.find(({ path }) => (path as readonly unknown[])[0] === `a${at}`);
          if (entry) found.set(id, entry.errorType === 'Unauthorized' ? 'hidden' : 'unreadable');
        }
      }
    }
    return found;
  }

  return {
    byIds,

    async pull(model: Model, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      let place = placeOf(cursor);
      let changes: readonly Change[] = [];
      let incomplete = false;
      let serverTime: number | undefined;
      if (start) place = begin(place);
      let resumed = start && place.token !== undefined;
      // An empty page may have others behind it: filters are applied to what was read.
      while (changes.length === 0 && !place.done) {
        try {
          const page = await next(model, place, limit, signal);
          ({ changes, serverTime, at: place } = page);
          incomplete ||= page.incomplete;
        } catch (error) {
          if (!(resumed && isSyncLayerError(error) && error.code === 'SUBSCRIBE_REJECTED')) throw error;
          // The token of an interrupted reading may be too old by now.
          place = { since: place.since, snapshot: place.snapshot };
        }
        resumed = false;
      }
      return {
        changes,
        cursor: (changes.length > 0 ? place : { since: place.since }) as unknown as Cursor,
        ...(place.snapshot && { snapshot: true }),
        ...(incomplete && { incomplete }),
        ...(serverTime !== undefined && { serverTime }),
      };
    },

    /** The rows of these ids as they are now, deleted ones too where they leave a trace. */
    async fetch(model: Model, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
      const found = await byIds(model, ids, signal);
      return [...found.values()].flatMap((item) =>
        typeof item === 'string' ? [] : (fromItem(model, item, COMPLETE) ?? []),
      );
    },

    async *keys(model: Model, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      const what = `Reading the keys of "${model.collection}"`;
      // A scan may not see yet what was written a moment ago.
      yield model.recent().map((recordId) => ({ recordId }));
      for (let nextToken: string | undefined; ; ) {
        const page = async (select: 'key' | 'id') => {
          const request = model.page({ select, limit: KEYS, nextToken });
          const found = await pageOf(what, request.field, await ask(what, 'read', request, signal));
          count(found.items.length);
          return found;
        };
        let { items, token, incomplete } = await page('key');
        // What cannot be read of an item may be its version: it is there all the same.
        if (incomplete) ({ items, token, incomplete } = await page('id'));
        if (incomplete) throw problem('PROTOCOL_VIOLATION', `${what} gave an item without its key.`);
        yield items.flatMap((item) => {
          if (!isObject(item) || (model.versioned && item._deleted === true)) return [];
          const recordId = idOf(model, item);
          if (recordId === undefined) throw problem('PROTOCOL_VIOLATION', `${what} gave an item without its key.`);
          const version = model.versionOf(item);
          return [{ recordId, ...(version !== undefined && { version }) }];
        });
        if (token === undefined) return;
        nextToken = token;
      }
    },
  };
}

export type Reads = ReturnType<typeof createReads>;
