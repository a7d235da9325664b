import { isObject } from '../../src/backends/is-object.js';
import {
  type Change,
  type Cursor,
  isSyncLayerError,
  type PullPage,
  type PullRequest,
  type RecordKey,
  type TransportHost,
} from '../../src/kit.js';
import { advance, begin, type Place, placeOf } from './cursor.js';
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

/** All that is read by HTTP. */
export function createReads(ask: Ask, options: ParsedOptions, host: () => TransportHost) {
  const { overlap, deltaTtl } = options;

  /** Each is charged for; a query that finds nothing costs as much as one. */
  const count = (rows: number): void => host().reads?.(Math.max(1, rows));

  /** `items` of a page. Throws unless they are all there: less would be taken for deletes. */
  async function pageOf(what: string, field: string, { data, errors, serverTime }: Answer) {
    const page = data[field];
    // A single item can fail, e.g. for a field that must not be null and is.
    const single = errors.filter(({ path }) => Array.isArray(path) && path[1] === 'items' && path.length > 2);
    if (single.length < errors.length || !isObject(page) || !Array.isArray(page.items))
      throw await failureOf(what, 'read', 200, errors.length > 0 ? errors : [{ message: `no ${field}` }]);
    if (single.length > 0)
      host().report(
        problem(
          'VALIDATION_FAILED',
          `${what}: an item was left out, ${String(single[0]?.message)}. Correct it at its source.`,
        ),
      );
    const { nextToken, startedAt } = page as { nextToken?: string | null; startedAt?: number };
    const items: readonly unknown[] = page.items.filter((item) => item !== null);
    return { items, token: nextToken ?? undefined, startedAt, serverTime: startedAt ?? serverTime };
  }

  /** The delta table holds each change by itself: of a row only the newest on the page is news. */
  function toChanges(model: Model, items: readonly unknown[]): Change[] {
    const changes = new Map<string, Change>();
    for (const item of items) {
      const change = isObject(item) ? fromItem(model, item) : undefined;
      const before = change && changes.get(change.recordId);
      if (change && !(before && before.version > change.version)) changes.set(change.recordId, change);
      if (change) continue;
      const message = `An item of "${model.collection}" has no usable key or version; it was skipped.`;
      host().report(problem('PROTOCOL_VIOLATION', message));
    }
    return [...changes.values()];
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
    const changes = toChanges(model, page.items);
    // A time in the future must not hide those of the present.
    const newest = Math.max(0, ...changes.map(({ timestamp = 0 }) => Math.min(timestamp, serverTime)));
    return { changes, serverTime: page.startedAt, at: advance(place, { ...page, newest }, Date.now()) };
  }

  async function byIds(model: Model, ids: readonly string[], signal: AbortSignal): Promise<Map<string, Item>> {
    const what = `Reading rows of "${model.collection}"`;
    const found = new Map<string, Item>();
    for (let from = 0; from < ids.length; from += BATCH) {
      const part = ids.slice(from, from + BATCH);
      const { data, errors } = await ask(what, 'read', model.get(part), signal);
      count(part.length);
      if (errors.length > 0) throw await failureOf(what, 'read', 200, errors);
      for (const [at, id] of part.entries()) {
        const item = data[`a${at}`];
        if (isObject(item)) found.set(id, item);
      }
    }
    return found;
  }

  return {
    byIds,

    async pull(model: Model, { cursor, start, limit, signal }: Omit<PullRequest, 'collection'>): Promise<PullPage> {
      let place = placeOf(cursor);
      let changes: readonly Change[] = [];
      let serverTime: number | undefined;
      if (start) place = begin(place);
      let resumed = start && place.token !== undefined;
      // An empty page may have others behind it: filters are applied to what was read.
      while (changes.length === 0 && !place.done) {
        try {
          ({ changes, serverTime, at: place } = await next(model, place, limit, signal));
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
        ...(serverTime !== undefined && { serverTime }),
      };
    },

    /** The rows of these ids as they are now, deleted ones too where they leave a trace. */
    async fetch(model: Model, ids: readonly string[], signal: AbortSignal): Promise<Change[]> {
      const found = await byIds(model, ids, signal);
      return [...found.values()].flatMap((item) => fromItem(model, item, COMPLETE) ?? []);
    },

    async *keys(model: Model, signal: AbortSignal): AsyncGenerator<RecordKey[]> {
      const what = `Reading the keys of "${model.collection}"`;
      // A scan may not see yet what was written a moment ago.
      yield model.recent().map((recordId) => ({ recordId }));
      for (let nextToken: string | undefined; ; ) {
        const request = model.page({ keysOnly: true, limit: KEYS, nextToken });
        const answer = await ask(what, 'read', request, signal);
        if (answer.errors.length > 0) throw await failureOf(what, 'read', 200, answer.errors);
        const { items, token } = await pageOf(what, request.field, answer);
        count(items.length);
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
