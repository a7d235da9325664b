import type { Firestore } from 'firebase/firestore';
import { ok, unknown, wrong } from '../../../src/adapter-kit/doctor/check.js';
import type { BackendTools, Check, ToolsInput, TransportHost } from '../../../src/adapter-kit/kit.js';
import { appLink, type Link, ownLink, type Session } from '../link.js';
import { newest } from '../live.js';
import { fromDocument } from '../normalize.js';
import { type ParsedOptions, readOptions } from '../options.js';
import { createReads } from '../reads.js';
import { createTables, refOf, type Table } from '../table.js';
import { ask } from './ask.js';
import { clockCheck } from './clock.js';
import { sampleOf, timeChecks } from './documents.js';
import { indexesJson, needsIndexes, OWN_RULE, refused, setupText } from './setup.js';
import { canTry, unusedId, writeChecks } from './writes.js';

function read({ transport, collections }: ToolsInput): { options: ParsedOptions; tables: Table[] } {
  const options = readOptions(transport as never);
  const all = createTables(options);
  return { options, tables: collections.map((name) => all.get(name)) };
}

const isEmulator = ({ db }: Session): boolean => {
  const { settings } = db.toJSON() as { readonly settings?: { readonly isUsingEmulator?: boolean } };
  return settings?.isUsingEmulator === true;
};

const MISSING_INDEX = 'failed-precondition';

/** What is found is told by the checks. */
const unheard: TransportHost = { authToken: async () => undefined, log() {}, traffic() {}, report() {} };

interface Means {
  readonly link: Link;
  readonly session: Session;
  readonly options: ParsedOptions;
}

/** The queries of a catch-up, as the transport asks them; they need the indexes. */
async function queriesCheck({ link, session, options }: Means, table: Table): Promise<Check> {
  const what = `${table.collection}: the queries of a catch-up are answered`;
  const ms = options.requestTimeout;
  const { signal } = new AbortController();
  const reads = createReads(
    link,
    options,
    () => unheard,
    () => undefined,
  );
  const first = await ask(session, reads.pull(table, { cursor: null, start: true, limit: 1, signal }), ms);
  const answer =
    first.ok && table.deletedAt !== undefined ? await ask(session, newest(reads, table, signal), ms) : first;
  if (!answer.ok && answer.code === MISSING_INDEX)
    return wrong(what, answer.said, 'Its link makes the index. Or in firestore.indexes.json:', indexesJson([table]));
  if (!answer.ok) return wrong(what, answer.said);
  if (!isEmulator(session) || !needsIndexes(table)) return ok(what);
  return unknown(what, 'An emulator answers without indexes. Google wants these:', indexesJson([table]));
}

/** One collection: what its rules allow, its indexes, its documents. */
async function* collectionChecks(means: Means, table: Table, writable: boolean): AsyncGenerator<Check> {
  const { session, options } = means;
  const { sdk } = session;
  const { collection } = table;
  const ms = options.requestTimeout;
  const may = (action: string): string => `${collection}: the rules let this user ${action}`;
  const listed = await ask(session, sdk.getDocsFromServer(await sampleOf(session, table)), ms);
  if (listed.ok) yield ok(may('list the documents'));
  else yield wrong(may('list the documents'), ...refused(table), listed.said);

  // As a new document is looked for before it is made.
  const got = await ask(session, sdk.getDocFromServer(refOf(session, table, unusedId(table))), ms);
  const get = may('get a document, also one that is not there');
  yield got.ok ? ok(get) : wrong(get, ...refused(table), got.said);

  // One that is as it should be: the rules may refuse others.
  const good = listed.ok ? listed.value.docs.find((found) => fromDocument(table, found)?.type === 'update') : undefined;
  if (writable) yield* writeChecks(session, table, good, ms);
  else yield unknown(may('write'), 'It can be told once a write can be tried without being made.');

  if (listed.ok) {
    yield await queriesCheck(means, table);
    yield* timeChecks(session, table, listed.value.docs, ms);
  } else
    yield unknown(`${collection}: its queries and its documents`, 'They can be looked at once they can be listed.');
}

/** Between two attempts to reach a server, ms. */
const PAUSE = 500;

/** The first answer. A server that is still starting refuses, and a client that was refused calls itself offline: a new one asks again. */
async function firstAnswer(link: Link, options: ParsedOptions) {
  const ms = options.requestTimeout;
  const end = performance.now() + ms;
  for (;;) {
    const session = await link.session();
    const { sdk, db } = session;
    // What Firestore refuses is told below.
    sdk.setLogLevel('silent');
    const beat = await ask(session, sdk.getDocFromServer(sdk.doc(db, 'synclayer', 'heartbeat')), ms);
    if (beat.ok || beat.code !== 'unavailable' || performance.now() > end) return { session, beat };
    await link.drop();
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function* examine(link: Link, options: ParsedOptions, tables: readonly Table[]): AsyncGenerator<Check> {
  const ms = options.requestTimeout;
  const answers = 'Firestore answers';
  const { session, beat } = await firstAnswer(link, options);
  const means: Means = { link, session, options };
  if (!beat.ok && beat.code !== 'permission-denied') {
    const at =
      options.emulator === undefined
        ? 'Is this machine online, the projectId right, and its Firestore made?'
        : `Does the emulator run at ${options.emulator}? It was tried for ${Math.round(ms / 1000)} s.`;
    yield wrong(answers, beat.said, at);
    return;
  }
  yield ok(answers);
  const readable = 'the document synclayer/heartbeat may be read';
  yield beat.ok ? ok(readable) : wrong(readable, 'Add this rule:', OWN_RULE, beat.said);
  // An emulator tells no time; it has that of its machine.
  if (!isEmulator(session)) yield await clockCheck('https://firestore.googleapis.com/', ms);
  const tried = await canTry(session, ms);
  yield tried;
  for (const table of tables) yield* collectionChecks(means, table, tried.state === 'ok');
}

/** `npx synclayer setup firestore` and `npx synclayer doctor`. */
export const firestoreTools: BackendTools = {
  setup: (input) => setupText(read(input).tables),
  async *doctor(input) {
    const { options, tables } = read(input);
    const link = options.firestore ? appLink(options.firestore as Firestore) : ownLink(options);
    try {
      yield* examine(link, options, tables);
    } finally {
      await link.close();
    }
  },
};
