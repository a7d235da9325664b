import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HasuraCollection } from '../../../adapters/hasura/options.js';
import { marksSql } from '../../../src/adapter-kit/doctor/marks-sql.js';
import type { Row } from '../../../src/base/change.js';
import { type Conflict, ConflictResolvers } from '../../../src/index.js';
import { touch } from '../hasura/hand.js';
import { type HasuraProject, startHasuraProject } from '../hasura/project.js';
import { briefFetch } from './conformance.js';
import { openClient } from './harness.js';

const COLUMNS = `id text primary key, n numeric(12,2), r real, t time, i interval, c char(8), s int4range, slug text,
  times time[], count int, updated_at timestamptz not null default now()`;

let project: HasuraProject;
beforeAll(async () => {
  const table = (name: string) => `create table ${name} (${COLUMNS});
    create trigger touch before insert or update on ${name} for each row execute function touch();
    create trigger slugs before insert or update on ${name} for each row execute function slugs();`;
  project = await startHasuraProject({
    schema: `${touch}
      create function slugs() returns trigger language plpgsql as $$ begin new.slug = lower(new.slug); return new; end $$;
      ${table('plain')} ${table('noted')}
      ${marksSql({ table: 'noted', opId: 'op_id', editedAt: 'edited_at' })}`,
  });
});
afterAll(() => project?.close());
beforeEach(async () => {
  await project.sql('truncate plain, noted');
});

const fields = ['n', 'r', 't', 'i', 'c', 's', 'slug', 'times', 'count'];
const noted: HasuraCollection = { fields, opId: 'op_id', editedAt: 'edited_at' };

/** Answers to writes are lost, once each, for as long as `on`. */
function losing() {
  const lost = new Set<string>();
  const wire = { on: true, after: async (): Promise<void> => undefined };
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const response = await briefFetch(input, init);
    const key = `${init?.method} ${String(init?.body)}`;
    if (!wire.on || !String(init?.body).includes('mutation') || lost.has(key)) return response;
    lost.add(key);
    await wire.after();
    throw new TypeError('The test lost this answer.');
  };
  return { wire, fetch };
}

/** Each is written by the database in its own way. */
const rewritten: readonly (readonly [what: string, sent: Row, stored: Row])[] = [
  ['a time', { t: '10:00' }, { t: '10:00:00' }],
  ['a number with two places', { n: 10.005 }, { n: 10.01 }],
  ['one that is rounded to a whole one', { n: 9.999 }, { n: 10 }],
  ['a real', { r: 0.123456789 }, { r: 0.12345679 }],
  ['an interval', { i: '90 minutes' }, { i: '01:30:00' }],
  ['a padded text', { c: 'ab' }, { c: 'ab      ' }],
  ['a range', { s: '[1,5]' }, { s: '[1,6)' }],
  ['an array of times', { times: ['10:00', '11:30'] }, { times: ['10:00:00', '11:30:00'] }],
];

describe.each(['by its values', 'by its id'])('an own write whose answer was lost is known again %s', (how) => {
  const name = how === 'by its id' ? 'noted' : 'plain';
  const ways =
    how === 'by its id'
      ? [...rewritten, ['what a trigger makes', { slug: 'ABC' }, { slug: 'abc' }] as const]
      : rewritten;

  test.each(ways)('%s', async (_, sent, stored) => {
    const conflicts: Conflict[] = [];
    const { wire, fetch } = losing();
    const client = await openClient(
      project,
      { [name]: name === 'noted' ? noted : { fields } },
      { fetch },
      {
        enableRealtimeSync: false,
        conflictStrategy: 'custom',
        customConflictResolver: (conflict) => {
          conflicts.push(conflict);
          return conflict.remote;
        },
      },
    );
    const rows = client.sync.collection(name);
    await client.sync.syncNow();
    await rows.save(sent, 'inserted');
    await client.sync.syncNow().catch(() => undefined);
    await client.sync.syncNow();
    expect(await rows.get('inserted')).toMatchObject(stored);
    wire.on = false;
    await rows.save({ slug: 'x' }, 'updated');
    await client.sync.syncNow();
    wire.on = true;
    await rows.update('updated', sent);
    await client.sync.syncNow().catch(() => undefined);
    await client.sync.syncNow();
    expect(await rows.get('updated')).toMatchObject(stored);
    expect([conflicts, client.sync.status.pending, client.sync.outbox.failed()]).toEqual([[], 0, []]);
  });
});

const counting = {
  conflictStrategy: 'custom',
  customConflictResolver: ConflictResolvers.sumNumbers(['count']),
} as const;

test('a counter is summed right although the answer was lost and somebody else counted since', async () => {
  const { wire, fetch } = losing();
  const client = await openClient(project, { noted }, { fetch }, { enableRealtimeSync: false, ...counting });
  const rows = client.sync.collection('noted');
  wire.on = false;
  await client.sync.syncNow();
  await rows.save({ count: 5 }, 'a');
  await client.sync.syncNow();
  wire.on = true;
  for (const theirs of [10, 100]) {
    wire.after = async () => void (await project.sql('update noted set count = count + $1', [theirs]));
    await rows.update('a', { count: ((await rows.get('a'))?.count as number) + 1 });
    await client.sync.syncNow().catch(() => undefined);
    await client.sync.syncNow();
  }
  expect(await project.sql('select count from noted')).toEqual([{ count: 5 + 1 + 10 + 1 + 100 }]);
  expect((await rows.get('a'))?.count).toBe(117);
});

/** A browser shows the `Date` of another origin only where that is exposed. */
const withoutDate: typeof globalThis.fetch = async (input, init) => {
  const { body, status, headers } = await briefFetch(input, init);
  const shown = new Headers(headers);
  shown.delete('date');
  return new Response(body, { status, headers: shown });
};

test.each([
  [-3_600_000, 'shown'],
  [3_600_000, 'shown'],
  [-3_600_000, 'hidden'],
  [3_600_000, 'hidden'],
])('the later edit wins although the clock of a device is off by %i ms, with Date %s', async (off, how) => {
  const fetch = how === 'hidden' ? withoutDate : briefFetch;
  const manual = { enableRealtimeSync: false, enableAutoSync: false };
  const [right, wrong] = [
    await openClient(project, { noted }, { fetch }, manual),
    await openClient(project, { noted }, { fetch }, manual),
  ];
  const [rights, wrongs] = [right.sync.collection('noted'), wrong.sync.collection('noted')];
  await rights.save({ slug: 'base', t: '01:00:00' }, 'a');
  await right.sync.syncNow();
  const real = Date.now.bind(Date);
  /** Does something on a device whose clock shows another time. */
  const shifted = async <T>(ms: number, work: () => Promise<T>): Promise<T> => {
    const spy = vi.spyOn(Date, 'now').mockImplementation(() => real() + ms);
    try {
      return await work();
    } finally {
      spy.mockRestore();
    }
  };
  await shifted(off, async () => {
    await wrong.sync.syncNow();
    if (how === 'shown') return;
    // Its own write shows it the server's clock.
    await wrongs.save({ slug: 'mine' }, 'b');
    await wrong.sync.syncNow();
  });
  const ago = (seconds: number): number => -1000 * seconds;
  await shifted(off + ago(60), () => wrongs.update('a', { slug: 'earlier' }));
  await shifted(ago(40), () => rights.update('a', { slug: 'later', t: '02:00:00' }));
  await shifted(off + ago(20), () => wrongs.update('a', { t: '03:00:00' }));
  await right.sync.syncNow();
  await shifted(off, () => wrong.sync.syncNow());
  await right.sync.syncNow();
  const row = { slug: 'later', t: '03:00:00' };
  expect([await rights.get('a'), await wrongs.get('a')]).toMatchObject([row, row]);
});
