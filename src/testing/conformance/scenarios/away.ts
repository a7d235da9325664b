import { check, equal } from '../check.js';
import { hasTimestamps, type Scenario, seesDeletes } from '../scenario.js';

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `row ${index}`);

/** Ids that a URL, a filter's grammar, SQL or JSON can trip over. */
export const NASTY_IDS: readonly string[] = [
  'a"b',
  "a'b",
  'a,b',
  '(a)',
  'a)',
  '(',
  'a(b,c).d',
  'a\\b',
  '\\',
  'a\\"b',
  'a b',
  ' a',
  'a ',
  'a%20b',
  '%',
  'a&b=c',
  'a?b#c',
  'a+b',
  'a:b',
  'a;b',
  'a|b',
  'a*b',
  '$a',
  '{a}',
  '[a]',
  '<a>',
  '@a',
  '~',
  'a.b',
  '-1',
  '0',
  'null',
  'true',
  'undefined',
  'NaN',
  'A',
  'a',
  'ünïcödé',
  'e\u0301',
  '\u00e9',
  '日本語',
  '🙂',
  '\u200b',
  'constructor',
  'toString',
  '__proto__',
  "'; drop table todos; --",
  'eq.a',
  'in.(a,b)',
  'a/b',
  'x'.repeat(500),
];

/** What happens while nobody listens. */
export const away: readonly Scenario[] = [
  {
    name: 'rows written, changed and deleted while away are caught up with',
    law: 1,
    leftOut: seesDeletes,
    async run({ client: openClient, put, remove, same }) {
      await put('changed');
      await put('deleted');
      await put('same');
      const client = await openClient();
      await client.sync.pause();
      await put('new');
      await put('changed');
      await remove('deleted');
      client.sync.resume();
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a row deleted and created again while away is there',
    law: 5,
    async run({ client: openClient, put, remove, same }) {
      await put('a', { text: 'first' });
      const client = await openClient();
      await client.sync.pause();
      await remove('a');
      await put('a', { text: 'second' });
      client.sync.resume();
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a row created and deleted while away was never there',
    law: 5,
    async run({ client: openClient, put, remove, same }) {
      const client = await openClient();
      await client.sync.pause();
      await put('a');
      await remove('a');
      client.sync.resume();
      await client.live();
      await same(client);
      equal(
        client.told.filter(({ type }) => type === 'insert'),
        [],
        'What the app was told.',
      );
    },
  },
  {
    name: 'more rows missed than a page, and than the backend gives at once',
    law: 1,
    async run({ client: openClient, putMany, same, options }) {
      const client = await openClient();
      await client.sync.pause();
      await putMany(ids(options.many ?? 1200));
      client.sync.resume();
      await client.live();
      await same(client);
      equal(client.told.length, options.many ?? 1200, 'How many rows the app was told of.');
    },
  },
  {
    name: 'small pages',
    law: 1,
    async run({ client: openClient, putMany, remove, same }) {
      await putMany(ids(20));
      const client = await openClient({ config: { pageSize: 3 } });
      await client.sync.pause();
      await putMany(ids(23));
      await remove('row 5');
      client.sync.resume();
      await client.live();
      await same(client);
    },
  },
  {
    name: 'ids with quotes, commas, parentheses, unicode and 500 characters',
    law: 13,
    async run({ client: openClient, bare, put, putMany, remove, same, backend, names, capabilities }) {
      await putMany(NASTY_IDS);
      const { pullAll } = await bare();
      for (const limit of [1, 3]) {
        const { rows } = await pullAll(null, limit);
        equal([...rows.keys()].sort(), [...NASTY_IDS].sort(), `Paged by ${limit}.`);
      }
      const client = await openClient();
      await same(client);
      for (const id of NASTY_IDS) await put(id);
      await same(client);
      if (capabilities.push) {
        for (const id of NASTY_IDS) await client.first.update(id, { text: `mine: ${id.slice(0, 20)}` });
        await client.live();
        for (const [id, row] of await backend.read(names.first))
          equal(row.text, `mine: ${id.slice(0, 20)}`, `The pushed row ${JSON.stringify(id)}.`);
      }
      for (const id of NASTY_IDS.slice(0, 10)) await remove(id);
      await same(client);
    },
  },
  {
    name: 'a commit with an older timestamp than the cursor is found by the next pull, within the overlap',
    law: 2,
    leftOut: hasTimestamps,
    async run({ client: openClient, put, same, options }) {
      await put('early');
      const client = await openClient();
      await client.sync.pause();
      await put('on time');
      client.sync.resume();
      await client.live();
      await client.sync.pause();
      await put('late', { age: (options.overlap ?? 10_000) / 2 });
      client.sync.resume();
      await client.live();
      await same(client);
    },
  },
  {
    name: 'a commit older than the overlap is found by the audit',
    law: 2,
    leftOut: hasTimestamps,
    async run({ client: openClient, put, same, options }) {
      await put('early');
      await put('changed', { age: (options.overlap ?? 10_000) * 20 });
      const client = await openClient({ config: { auditInterval: 1000 } });
      client.faults.change = () => [];
      await put('late', { age: (options.overlap ?? 10_000) * 10 });
      await put('changed', { age: (options.overlap ?? 10_000) * 10 });
      await same(client);
    },
  },
  {
    name: 'a row whose time went back is what the backend shows now: the audit takes it',
    law: 3,
    leftOut: hasTimestamps,
    async run({ client: openClient, put, same, options }) {
      await put('a');
      const client = await openClient({ config: { auditInterval: 1000 } });
      client.faults.change = () => [];
      // A restored backup, or a clock that ran ahead.
      await put('a', { text: 'restored', age: (options.overlap ?? 10_000) * 10 });
      await same(client);
    },
  },
  {
    name: 'a second client reads the same, and one collection does not disturb the other',
    law: 1,
    async run({ client: openClient, put, same, names }) {
      await put('a');
      await put('a', { collection: names.second, text: 'of the second' });
      const [one, two] = [await openClient(), await openClient()];
      await put('b');
      await put('b', { collection: names.second });
      await same(one, two);
      check((await one.rows(names.second)).get('a')?.text === 'of the second', 'Collections got mixed up.');
    },
  },
];
