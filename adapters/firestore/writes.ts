import type { Transaction } from 'firebase/firestore';
import {
  type Change,
  isSyncLayerError,
  type OutgoingChange,
  type PushResult,
  type Row,
  type SyncLayerError,
  type TransportHost,
} from '../../src/adapter-kit/kit.js';
import { hasLoneSurrogate } from '../../src/adapter-kit/lone-surrogate.js';
import { withoutOutOfSight } from '../../src/adapter-kit/out-of-sight.js';
import { hasOp, marksOf } from '../../src/adapter-kit/own-marks.js';
import { clockOfWrites } from '../../src/adapter-kit/server-clock.js';
import { unstorableField } from '../../src/adapter-kit/storable.js';
import type { Uploads } from '../../src/adapter-kit/uploads.js';
import { failure, isContention, writeError, writeRefusal } from './errors.js';
import { answered, type Link, type Session } from './link.js';
import { fromDocument, holds, timeOf } from './normalize.js';
import { inSight } from './on-demand.js';
import { type ParsedOptions, problem, TRANSACTION_SIZE } from './options.js';
import type { Reads } from './reads.js';
import { hasPlace, refOf, type Table, type Tables } from './table.js';
import { fieldFromJson, makerOf } from './values.js';

/** How often a transaction is tried that others got in the way of. */
const TRIES = 5;

type Current = Exclude<Change, { type: 'insert' }>;

const timesOf = ({ timestamp, editedAt }: Current) => ({
  ...(timestamp !== undefined && { timestamp }),
  ...(editedAt !== undefined && { editedAt }),
});

/** `data: null`: it was marked as deleted since. */
const applied = ({ type }: OutgoingChange, row: Current): PushResult => ({
  type: 'applied',
  version: row.version,
  ...(row.type !== 'delete' ? { data: row.data } : type !== 'delete' && { data: null }),
  ...timesOf(row),
});

const conflict = (row: Current): PushResult => ({
  type: 'conflict',
  current: {
    data: row.type === 'delete' ? null : row.data,
    version: row.version,
    ...timesOf(row),
  },
});

const sentBy = ({ type, data, patch }: OutgoingChange): Row => ((type === 'update' && patch) || data) ?? {};

/** What becomes of a change whose document is `row`; undefined: it is as the edit saw it, and can be written. */
function outcome(change: OutgoingChange, row: Current | undefined): PushResult | undefined {
  const { type, baseVersion, unset = [] } = change;
  const there = row !== undefined && row.type !== 'delete';
  // It came through and its answer was lost, whatever became of the document since.
  if (row && type !== 'delete' && hasOp(row, change)) return applied(change, row);
  if (type === 'insert' && !there) return undefined;
  if (!row) {
    const version = baseVersion ?? '';
    return type === 'delete' ? { type: 'applied', version } : { type: 'conflict', current: { data: null, version } };
  }
  if (type === 'delete' && !there) return applied(change, row);
  // `timeOf`: another backend's version says nothing here.
  if (type !== 'insert' && there && row.version === baseVersion && timeOf(baseVersion)) return undefined;
  if (there && type !== 'delete' && holds(row.data, sentBy(change), unset)) return applied(change, row);
  return conflict(row);
}

/** So many writes of a document are known again. */
const KNOWN = 10;

/** What a write notes beside its fields. */
function notes(session: Session, table: Table, change: OutgoingChange, before: Current | undefined) {
  const marks = marksOf(table, change, (ms) => session.sdk.Timestamp.fromMillis(Math.floor(ms)));
  const { opIds = [] } = Object(before?.metadata) as { readonly opIds?: readonly string[] };
  const { opId } = table;
  if (opId !== undefined && opId in marks) marks[opId] = [change.opId, ...opIds].slice(0, KNOWN).join(' ');
  return Object.entries(marks);
}

/** Throws what the SDK's classes throw for a value that Firestore cannot store. */
function write(
  session: Session,
  transaction: Transaction,
  table: Table,
  change: OutgoingChange,
  before: Current | undefined,
): void {
  const { sdk } = session;
  const make = makerOf(session);
  const { updatedAt, deletedAt, typeOf } = table;
  const ref = refOf(session, table, change.recordId);
  if (change.type === 'delete' && deletedAt === undefined) {
    transaction.delete(ref);
    return;
  }
  const stamps = [[updatedAt, sdk.serverTimestamp()] as const, ...notes(session, table, change, before)];
  if (change.type === 'delete' && deletedAt !== undefined) {
    const marks = [...stamps, [deletedAt, sdk.serverTimestamp()] as const];
    transaction.set(ref, Object.fromEntries(marks), {
      mergeFields: marks.map(([field]) => new sdk.FieldPath(field)),
    });
    return;
  }
  const fields = Object.entries(sentBy(change))
    .filter(([field]) => field !== 'id' && !table.own.includes(field))
    .map(([field, value]): [string, unknown] => [field, fieldFromJson(value, typeOf(field), make)]);
  if (change.type === 'insert') {
    // Over a document that is only marked as deleted, too.
    transaction.set(ref, Object.fromEntries([...fields, ...stamps]));
    return;
  }
  const removed = (change.unset ?? []).map((field): [string, unknown] => [field, sdk.deleteField()]);
  const all = [...fields, ...removed, ...stamps];
  // Whole fields: a plain merge would keep keys that are gone from a map.
  transaction.set(ref, Object.fromEntries(all), { mergeFields: all.map(([field]) => new sdk.FieldPath(field)) });
}

/** What a push works with. */
interface Means {
  readonly link: Link;
  readonly options: ParsedOptions;
  readonly tables: Tables;
  readonly reads: Reads;
  readonly host: () => TransportHost;
  readonly uploads: Uploads;
}

function createSender({ link, options, tables, reads, host, uploads }: Means, signal: AbortSignal) {
  /** One transaction. Gives the answers that are known, and none for what was written. */
  function attempt(session: Session, changes: readonly OutgoingChange[]): Promise<Map<string, PushResult>> {
    const { sdk, db } = session;
    const run = async (transaction: Transaction): Promise<Map<string, PushResult>> => {
      const known = new Map<string, PushResult>();
      reads.count(changes.length);
      const snapshots = await Promise.all(
        changes.map(({ collection, recordId }) => transaction.get(refOf(session, tables.get(collection), recordId))),
      );
      for (const [index, change] of changes.entries()) {
        const table = tables.get(change.collection);
        const snapshot = snapshots[index];
        const row = snapshot?.exists() ? fromDocument(table, snapshot) : undefined;
        if (snapshot?.exists() && !row) {
          const what = `${change.collection}/${change.recordId} has no timestamp in ${table.updatedAt}.`;
          const error = problem('PUSH_REJECTED', `${what} Set it once, then the edit can be sent again.`);
          known.set(change.opId, { type: 'rejected', error });
          continue;
        }
        const result = outcome(change, row);
        if (result) known.set(change.opId, result);
        else write(session, transaction, table, change, row);
      }
      return known;
    };
    // Its own retries wait a second each, and would not tell us.
    return sdk.runTransaction(db, run, { maxAttempts: 1 });
  }

  /** The versions that the server gave; the transaction's answer does not tell them. */
  async function stamps(changes: readonly OutgoingChange[], sentAt: number): Promise<Map<string, PushResult>> {
    const results = new Map<string, PushResult>();
    for (const collection of new Set(changes.map((change) => change.collection))) {
      const mine = changes.filter((change) => change.collection === collection);
      const table = tables.get(collection);
      const left = mine.filter(({ type }) => type !== 'delete' || table.deletedAt !== undefined);
      const ids = left.map(({ recordId }) => recordId);
      // Of some that were written this user may see nothing, or not any more, or the conditions do not hold for them.
      const read = await inSight(reads, table, ids, signal);
      clockOfWrites(read, sentAt, host());
      const rows = new Map(read.map((row) => [row.recordId, row as Current]));
      for (const change of mine) {
        const { opId, type, recordId, baseVersion } = change;
        const row = rows.get(recordId);
        // Deleted or out of sight, by us or by somebody a moment later. What the listener said of it meanwhile is newer.
        const gone = type === 'delete' ? { version: baseVersion ?? '' } : { version: '', data: null };
        results.set(opId, row ? applied(change, row) : { type: 'applied', ...gone });
      }
    }
    return results;
  }

  /** What a transaction reads by id it reads whatever the collection's conditions say. */
  async function asSeen(changes: readonly OutgoingChange[], known: ReadonlyMap<string, PushResult>) {
    const answered = changes.filter(({ opId }) => known.has(opId));
    const results = await withoutOutOfSight(
      answered,
      answered.map(({ opId }) => known.get(opId) as PushResult),
      (name, ids) => {
        const table = tables.get(name);
        if (table.where.length === 0) return undefined;
        return inSight(reads, table, ids, signal).then((rows) => new Set(rows.map(({ recordId }) => recordId)));
      },
    );
    return answered.map(({ opId }, index) => [opId, results[index] as PushResult] as const);
  }

  async function send(changes: readonly OutgoingChange[]): Promise<Map<string, PushResult>> {
    const [only] = changes;
    if (!only) return new Map();
    const what =
      changes.length === 1 ? `Writing ${only.collection}/${only.recordId}` : `Writing ${changes.length} documents`;
    const failWith = (result: PushResult): Map<string, PushResult> =>
      new Map(changes.map(({ opId }) => [opId, result]));
    const bytes = JSON.stringify(changes.map(sentBy)).length;
    for (let tries = 1; ; tries += 1) {
      const session = await link.session();
      const sentAt = Date.now();
      try {
        const limit = options.requestTimeout + uploads.limit(bytes);
        const known = await answered(session, attempt(session, changes), what, limit, signal);
        uploads.met(bytes, Date.now() - sentAt);
        host().alive?.(signal);
        const written = changes.filter(({ opId }) => !known.has(opId));
        return new Map([...(await asSeen(changes, known)), ...(await stamps(written, sentAt))]);
      } catch (error) {
        if (isSyncLayerError(error)) {
          if (error.code === 'CONNECTION_LOST') uploads.missed(bytes);
          throw error;
        }
        // The server has said no to this attempt.
        host().alive?.(signal);
        if (isContention(error)) {
          if (tries < TRIES) continue;
          return failWith({ type: 'retry', error: problem('CONFLICT', `${what} met other writers ${TRIES} times.`) });
        }
        const refused = writeRefusal(what, error);
        if (!refused) throw failure(session, what, error, writeError);
        if (changes.length === 1) return failWith({ type: 'rejected', error: refused });
        // One bad change spoils its whole transaction.
        const half = Math.ceil(changes.length / 2);
        const first = await send(changes.slice(0, half));
        return new Map([...first, ...(await send(changes.slice(half)))]);
      }
    }
  }

  return send;
}

/** Compare-and-set of many changes, in transactions: a batch is read, compared and committed as one. */
export async function pushChanges(
  means: Means,
  changes: readonly OutgoingChange[],
  signal: AbortSignal,
): Promise<PushResult[]> {
  const send = createSender(means, signal);
  const results = new Map<string, PushResult>();
  /** Why a change is not sent; undefined: it can be. */
  function unsendable(change: OutgoingChange): SyncLayerError | undefined {
    const { collection, recordId } = change;
    const table = means.tables.get(collection);
    if (!hasPlace(table, recordId)) {
      const fix = `Save it as the path of its document: save(row, 'posts/p1/${table.path}/c1').`;
      const what = `${JSON.stringify(recordId)} is no document of the group "${table.path}".`;
      return problem('PUSH_REJECTED', `${what} ${fix}`);
    }
    // The server breaks the stream off, as often as it is sent.
    const field =
      change.type === 'delete' ? undefined : unstorableField(sentBy(change), (text) => !hasLoneSurrogate(text));
    if (field === undefined) return undefined;
    const what = `The field ${JSON.stringify(field)} of ${collection}/${recordId} holds half of a character (a lone surrogate)`;
    return problem('VALIDATION_FAILED', `${what}, which Firestore cannot store. Choose another text.`);
  }
  const sendable = changes.filter((change) => {
    const error = unsendable(change);
    if (error) results.set(change.opId, { type: 'rejected', error });
    return !error;
  });
  for (let from = 0; from < sendable.length; from += TRANSACTION_SIZE)
    for (const [opId, result] of await send(sendable.slice(from, from + TRANSACTION_SIZE))) results.set(opId, result);
  return changes.map(({ opId, collection, recordId }): PushResult => {
    const unknown = `Nothing is known of the push of ${collection}/${recordId}.`;
    return results.get(opId) ?? { type: 'retry', error: problem('PROTOCOL_VIOLATION', unknown) };
  });
}
