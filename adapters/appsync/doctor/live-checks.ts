import { ok, unknown, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { type Check, isObject } from '../../../src/adapter-kit/kit.js';
import { type ErrorEntry, errorOf, isConflict } from '../errors.js';
import { idOf } from '../normalize.js';
import { operations, type Request } from '../table.js';
import type { Ask, Reply } from './ask.js';
import type { Place } from './place.js';

/** Items that are looked at. */
const SAMPLE = 20;
/** A clock may be so wrong, ms. */
const TOLERANCE = 60_000;
/** Found in no schema. */
const NOWHERE = 'synclayerDoctor';

const said = (what: string, { status, errors }: Pick<Reply, 'status' | 'errors'>): string =>
  errorOf(what, 'read', status, errors).message;

/** An owner's rule refuses what is not there: it has no owner. */
const isRight = ({ errorType, message }: ErrorEntry): boolean =>
  /Unauthorized|Not Authorized/i.test(`${errorType} ${message}`);

const rights = 'The @auth rules of the type (Gen 1), or its .authorization() (Gen 2), say who may.';

/**
 * Whether a document is right. It asks for a field more, which no schema has: a GraphQL service looks at the whole document
 * first and does nothing of it, so that even a mutation can be tried.
 */
async function probe(ask: Ask, { query }: Pick<Request, 'query'>): Promise<readonly string[] | undefined> {
  const { errors } = await ask({ query: query.replace(/\}$/, ` ${NOWHERE}}`) });
  const texts = errors.map(({ message }) => String(message));
  const others = texts.filter((text) => !text.includes(NOWHERE));
  return others.length === 0 && texts.length === 0 ? undefined : others;
}

/** What the schema has of a model, where it cannot be read. */
export async function* probeChecks(ask: Ask, { collection, table }: Place): AsyncGenerator<Check> {
  const documents = [
    ...operations.map((operation) => table.mutation(operation, {})),
    ...(table.versioned ? [] : [table.mutation('update', {}, {})]),
  ];
  const writes = `${collection}: its mutations are there, with their fields`;
  const answers = await Promise.all(documents.map((request) => probe(ask, request)));
  const faults = [...new Set(answers.flatMap((each) => each ?? []))];
  if (faults.length > 0) yield wrong(writes, ...faults, 'Correct "name", "fields" or "names", or the schema.');
  else if (answers.includes(undefined)) yield unknown(writes, 'The API did not say what it found wrong.');
  else yield ok(writes);
  if (table.versioned) return;
  const plain = `${collection}: conflicts are not detected, as configured`;
  const versions = await probe(ask, { query: table.get(['x']).query.replace(/\}\}$/, ' _version}}') });
  if (versions === undefined) yield unknown(plain, 'The API did not say.');
  else if (versions.some((text) => text.includes('_version'))) yield ok(plain);
  else yield wrong(plain, 'Set "versioned" to true: writes without _version are refused.');
}

/** Reads as the transport does, and looks at what came. Returns whether it could. */
export async function* readChecks(ask: Ask, { collection, table }: Place): AsyncGenerator<Check, boolean> {
  const what = `${collection}: its items can be read`;
  const pages = [table.page({ limit: SAMPLE }), table.page({ limit: SAMPLE, from: Date.now() })];
  const item = table.get([`synclayer-doctor-${crypto.randomUUID()}`]);
  const [page, news, one] = await Promise.all([...pages, item].map((request) => ask(request)));
  const whole = (reply: Reply | undefined): boolean => reply?.status === 200 && reply.errors.length === 0;
  const failed = [page, news, one].find((reply) => !whole(reply));
  const field = pages[0]?.field ?? '';
  const { items } = Object(page?.data[field]) as { readonly items?: unknown };
  const single = failed?.errors.find(({ path }) => Array.isArray(path) && path.includes('items') && path.length > 2);
  if (failed && single) {
    yield ok(what);
    yield wrong(
      `${collection}: its items are whole`,
      `${String(single.message)} (${(single.path as unknown[]).join('.')})`,
      'Such an item is left out. Correct it at its source, or take the "!" from the field.',
    );
    return true;
  }
  if (failed || !Array.isArray(items)) {
    const text = said(`Reading "${collection}"`, failed ?? { status: 200, errors: [{ message: `no ${field}` }] });
    yield wrong(what, text, ...(failed?.errors.some(isRight) ? [rights] : []));
    return false;
  }
  yield ok(what);

  const stamped = `${collection}: every item has its id and its ${table.versioned ? '_version' : table.updatedAt}, and none is from the future`;
  const found = items.filter(isObject);
  const bare = found.find((each) => idOf(table, each) === undefined || table.versionOf(each) === undefined);
  const ahead = found.find((each) => (table.timeOf(each) ?? 0) > Date.now() + TOLERANCE);
  const name = (each: object): string => String((each as Record<string, unknown>)[table.id]);
  if (bare)
    yield wrong(
      stamped,
      `${name(bare)} has none, and is not seen. ${table.versioned ? 'Items that were there before conflict detection was switched on have no _version: write each of them once more.' : 'Write it once more.'}`,
    );
  else if (ahead)
    yield wrong(
      stamped,
      `${name(ahead)} is later than now. Let the server set ${table.updatedAt}. Or this machine's clock is slow.`,
    );
  else if (found.length > 0) yield ok(stamped);
  else yield unknown(stamped, 'There are no items to look at.');
  return true;
}

/** A delete of an item that is not there: it shows the right, and changes nothing. */
export async function* writeChecks(ask: Ask, { collection, table, given }: Place): AsyncGenerator<Check> {
  const what = `${collection}: this user may write`;
  if (!/^(ID|String)$/.test(given.names?.idType ?? 'ID')) return;
  const input = { [table.id]: `synclayer-doctor-${crypto.randomUUID()}`, ...(table.versioned && { _version: 1 }) };
  const reply = await ask(table.mutation('delete', input));
  const { errors } = reply;
  if (errors.length === 0 || errors.some(isConflict)) yield ok(what);
  else if (errors.some(isRight))
    yield unknown(
      what,
      said('A delete of what is not there', reply),
      'A rule for owners says so of what has no owner. If there is none:',
      rights,
    );
  else yield wrong(what, said('A delete of what is not there', reply));
}
