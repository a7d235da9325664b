import type { QueryDocumentSnapshot, WriteBatch } from 'firebase/firestore';
import { ok, unknown, wrong } from '../../../src/adapter-kit/doctor/check.js';
import type { Check } from '../../../src/adapter-kit/kit.js';
import type { Session } from '../link.js';
import type { Table } from '../table.js';
import { refOf } from '../table.js';
import { fromJson, makerOf } from '../values.js';
import { type Answer, ask } from './ask.js';
import { OWN_RULE, refused } from './setup.js';

type Write = (batch: WriteBatch) => unknown;

/**
 * Whether the rules would let these writes through. The rules are asked first, of all writes of a batch; then the batch fails,
 * whole, since the document that it updates last is none.
 */
function attempt(session: Session, write: Write, ms: number): Promise<Answer<void>> {
  const { sdk, db } = session;
  const batch = sdk.writeBatch(db);
  write(batch);
  batch.update(sdk.doc(db, 'synclayer', crypto.randomUUID()), { tried: true });
  return ask(session, batch.commit(), ms);
}

/** `not-found`: the rules had nothing against it. */
const allowed = (answer: Answer<void>): answer is Answer<void> & { readonly ok: true } =>
  answer.ok || answer.code === 'not-found';

const UNTRIED =
  'There was no document to try it with; rules that look at `resource`, or at more fields than these conditions name, refuse that.';

/** Whether writes can be tried at all. */
export async function canTry(session: Session, ms: number): Promise<Check> {
  const what = 'a write can be tried without being made';
  const answer = await attempt(session, () => undefined, ms);
  if (allowed(answer)) return ok(what);
  return wrong(what, ...(answer.code === 'permission-denied' ? ['Add this rule:', OWN_RULE] : []), answer.said);
}

/** The id of a record that is not there. */
export const unusedId = ({ group, path }: Table): string => {
  const id = `synclayer-doctor-${crypto.randomUUID()}`;
  return group ? `synclayer/doctor/${path}/${id}` : id;
};

/** The fields of a document for which the conditions hold. */
function matching(session: Session, { where }: Table): Record<string, unknown> {
  const make = makerOf(session);
  const fields: Record<string, unknown> = {};
  for (const [path, operator, json] of where) {
    const value = fromJson(json, make);
    const [first] = Array.isArray(value) ? value : [value];
    const held = { '==': value, in: first, 'array-contains': [value], 'array-contains-any': [first] }[operator];
    const names = path.split('.');
    const last = names.pop() ?? '';
    let map = fields;
    for (const name of names) {
      map[name] ??= {};
      map = map[name] as Record<string, unknown>;
    }
    map[last] = held;
  }
  return fields;
}

/**
 * Whether the rules let this user create, update and delete, tried with a document that is there, or a copy of it; without
 * one, with little more than a time. Nothing is written.
 */
export async function* writeChecks(
  session: Session,
  table: Table,
  found: QueryDocumentSnapshot | undefined,
  ms: number,
): AsyncGenerator<Check> {
  const { sdk } = session;
  const { collection, updatedAt, deletedAt } = table;
  const none = refOf(session, table, unusedId(table));
  const there = found?.ref ?? none;
  const fields = { ...(found ? found.data() : matching(session, table)), [updatedAt]: sdk.serverTimestamp() };
  const time = new sdk.FieldPath(updatedAt);
  const now = sdk.serverTimestamp();
  const remove: Write =
    deletedAt === undefined
      ? (batch) => batch.delete(there)
      : (batch) => batch.update(there, time, now, new sdk.FieldPath(deletedAt), now);
  const writes: Readonly<Record<string, Write>> = {
    'create a document': (batch) => batch.set(none, fields),
    'update a document': (batch) => batch.update(there, time, now),
    [deletedAt === undefined ? 'delete a document' : 'mark a document as deleted']: remove,
  };
  for (const [action, write] of Object.entries(writes)) {
    const what = `${collection}: the rules let this user ${action}`;
    const answer = await attempt(session, write, ms);
    if (allowed(answer)) yield ok(what);
    else if (answer.code === 'permission-denied')
      yield wrong(what, ...refused(table), ...(found ? [] : [UNTRIED]), answer.said);
    else yield unknown(what, answer.said);
  }
}
