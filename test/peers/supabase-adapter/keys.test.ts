import { afterAll, beforeAll, expect, test } from 'vitest';
import { openClient } from './harness.js';
import { briefFetch, type Project, startProject, touch } from './peer.js';

let project: Project;
beforeAll(async () => {
  const table = (
    name: string,
    key: string,
  ) => `create table ${name} (id ${key}, text text, updated_at timestamptz not null default now());
    create trigger touch before insert or update on ${name} for each row execute function touch();
    alter publication supabase_realtime add table ${name};`;
  project = await startProject({
    schema: `${touch} ${table('uuids', 'uuid primary key')} ${table('numbers', 'bigint primary key')} ${table('texts', 'text primary key')}
      ${table('made', 'text primary key')}
      create function prefixed() returns trigger language plpgsql as $$ begin new.id = 'k-' || new.id; return new; end $$;
      create trigger prefixed before insert on made for each row execute function prefixed();`,
  });
});
afterAll(() => project?.close());

const UPPER = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
const cases = [
  ['uuids', UPPER, UPPER.toLowerCase()],
  ['numbers', '0071', '71'],
  ['made', 'a', 'k-a'],
] as const;

for (const order of ['the answer', 'the event'] as const)
  test.each(cases)(
    `%s: a key that the database writes another way is adopted and reported (${order} comes first)`,
    async (name, id, stored) => {
      if (order === 'the event' && name === 'made') return;
      await project.sql(`truncate ${name}`);
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const fetch: typeof globalThis.fetch = async (input, init) => {
        const response = await briefFetch(input, init);
        if (order === 'the event' && init?.method === 'POST') await held;
        return response;
      };
      const client = await openClient(project, [name], { fetch });
      const rows = client.sync.collection(name);
      const seen: string[][] = [];
      rows.watch((list) => void seen.push(list.map((row) => String(row.id))));
      await client.live();
      await rows.save({ text: 'one' }, id);
      if (order === 'the event') {
        while ((await rows.get(stored)) === undefined) await new Promise((resolve) => setImmediate(resolve));
        release();
      }
      await client.live();
      await rows.update(stored, { text: 'two' });
      await client.live();
      expect(await project.sql(`select id::text, text from ${name}`)).toEqual([{ id: stored, text: 'two' }]);
      expect([...(await client.rows(name)).keys()]).toEqual([stored]);
      expect(
        seen.filter(({ length }) => length > 1),
        'two rows at once',
      ).toEqual([]);
      expect(client.errors.map(({ code, details }) => [code, details.recordId, details.storedAs])).toEqual([
        ['VALIDATION_FAILED', id, stored],
      ]);
      expect(client.sync.outbox.failed()).toEqual([]);
    },
  );

test('a column of text keeps two spellings apart', async () => {
  const client = await openClient(project, ['texts']);
  const rows = client.sync.collection('texts');
  await client.live();
  await rows.saveMany([
    { id: '71', text: 'one' },
    { id: '0071', text: 'two' },
    { id: UPPER, text: 'three' },
  ]);
  await client.live();
  await rows.update('0071', { text: 'second' });
  await client.live();
  expect((await project.sql('select id, text from texts order by id')).map(({ id, text }) => `${id} ${text}`)).toEqual([
    '0071 second',
    '71 one',
    `${UPPER} three`,
  ]);
  expect([...(await client.rows('texts')).keys()].sort()).toEqual(['0071', '71', UPPER]);
  expect(client.errors).toEqual([]);
});
