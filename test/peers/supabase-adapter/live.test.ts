import { createClient } from '@supabase/supabase-js';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Change } from '../../../src/base/change.js';
import { until } from '../until.js';
import { openClient, toldOnce } from './harness.js';
import { type Project, startProject, table, touch } from './peer.js';

const RATE_WINDOW = 1500;

/** Text that TOAST cannot make small. */
const large = (size: number): string => {
  let text = '';
  while (text.length < size) text += Math.random().toString(36).slice(2);
  return text.slice(0, size);
};

let project: Project;
beforeAll(async () => {
  project = await startProject({
    exposed: ['app'],
    delays: { coldStart: 300 },
    rateLimit: { eventsPerSecond: 500, windowMs: RATE_WINDOW },
    schema: [
      touch,
      table('todos', true),
      table('tasks', false),
      // As many projects have it: \`now()\`, the begin of the transaction.
      `create function moddatetime() returns trigger language plpgsql as $$
         begin new.updated_at = now(); return new; end $$;
       create table stamped (id text primary key, text text, body text, updated_at timestamptz not null default now());
       create trigger stamp before update on stamped for each row execute function moddatetime();
       alter publication supabase_realtime add table stamped;
       create table later (id text primary key, text text, updated_at timestamptz not null default clock_timestamp());
       create schema app;
       grant usage on schema app to anon, authenticated;
       create table app."Odd Table" (uid bigint primary key, "the text" text, price numeric, big bigint, raw bytea,
         mtime timestamptz not null default clock_timestamp());
       create function touch_mtime() returns trigger language plpgsql as $$
         begin new.mtime = greatest(clock_timestamp(), old.mtime + interval '1 microsecond'); return new; end $$;
       create trigger touch before insert or update on app."Odd Table" for each row execute function touch_mtime();
       grant all on app."Odd Table" to anon, authenticated;
       alter publication supabase_realtime add table app."Odd Table";`,
    ].join('\n'),
  });
});
afterAll(() => project?.close());

const stored = async (name: string): Promise<Map<string, unknown>> =>
  new Map((await project.sql(`select id, text from ${name}`)).map(({ id, text }) => [id as string, text]));

/** The client has what the table has. */
async function same(client: Awaited<ReturnType<typeof openClient>>, name: string): Promise<void> {
  await until(`the rows of ${name}`, async () => {
    const [mine, theirs] = [await client.rows(name), await stored(name)];
    return mine.size === theirs.size && [...theirs].every(([id, text]) => mine.get(id)?.text === text);
  });
  expect(toldOnce(client.told)).toEqual([]);
}

describe('what Realtime loses', () => {
  test('50 rows written between SUBSCRIBED and system ok', async () => {
    await project.killRealtime();
    await project.startRealtime();
    let written: Promise<unknown> | undefined;
    class Watched extends WebSocket {
      constructor(address: string | URL, protocols?: string | string[]) {
        super(address, protocols);
        this.addEventListener('message', ({ data }) => {
          if (written || !String(data).includes('"phx_reply",{"status":"ok","response":{"postgres_changes"')) return;
          // Late enough for a pull that was begun too early to have ended, and before the server is live (300 ms).
          written = new Promise((resolve) => setTimeout(resolve, 150)).then(() =>
            project.sql("insert into todos (id, text) select 'gap ' || n, 'x' from generate_series(1, 50) n"),
          );
        });
      }
    }
    const client = await openClient(project, ['todos'], { WebSocket: Watched as never });
    await client.live();
    await written;
    expect(written).toBeDefined();
    await same(client, 'todos');
    expect((await client.rows('todos')).size).toBe(50);
  });

  test('a burst of 3 000 rows past the rate limit, and what it silences: the audit finds it', async () => {
    const client = await openClient(project, ['tasks'], {}, { auditInterval: 1000 });
    await client.live();
    await project.sql("insert into tasks (id, text) select 'burst ' || n, 'x' from generate_series(1, 3000) n");
    await project.sql("insert into tasks (id, text) select 'after ' || n, 'x' from generate_series(1, 100) n");
    await project.sql("delete from tasks where id like 'burst 1%'");
    await same(client, 'tasks');
    expect((await client.rows('tasks')).size).toBe(3100 - 1111);
    await new Promise((resolve) => setTimeout(resolve, RATE_WINDOW));
  });

  test('Postgres restarted under a connected client', async () => {
    const client = await openClient(project, ['todos'], {}, { auditInterval: 1000 });
    await client.live();
    await project.restartPostgres({ crash: true });
    await until('Postgres is back', () =>
      project.sql("insert into todos (id, text) values ('lost', 'x')").then(
        () => true,
        () => false,
      ),
    );
    await project.sql("update todos set text = 'changed' where id = 'gap 1'");
    await same(client, 'todos');
  });

  test('a second system ok is a gap', async () => {
    const client = await openClient(project, ['todos']);
    await client.live();
    let pulls = 0;
    client.sync.events.on('realtimeSync', () => void pulls++);
    await project.repeatSystemOk();
    await until('a pull', () => pulls > 0);
    await same(client, 'todos');
  });

  test('a table published only after the subscription', async () => {
    const client = await openClient(project, ['later', 'todos']);
    await until('the refusal', () => client.errors.some(({ message }) => message.includes('"later"')));
    expect(client.errors.map(({ code }) => code)).not.toContain('SUBSCRIBE_REJECTED');
    await project.sql("insert into later (id, text) values ('before', 'x')");
    await project.sql('alter publication supabase_realtime add table later');
    await client.live();
    await project.sql("insert into later (id, text) values ('after', 'x')");
    await same(client, 'later');
    expect((await client.rows('later')).size).toBe(2);
  });
});

describe('events that are not whole', () => {
  test('a row of 2 MB', async () => {
    const client = await openClient(project, ['todos']);
    await client.live();
    const text = large(2_000_000);
    await project.sql("insert into todos (id, text) values ('large', $1)", [text]);
    await same(client, 'todos');
    await project.sql("update todos set done = true where id = 'large'");
    await until('the update', async () => (await client.rows('todos')).get('large')?.done === true);
    await same(client, 'todos');
    await project.sql("delete from todos where id = 'large'");
    await same(client, 'todos');
  });

  test('a TOASTed column that an update leaves alone, on a table of which nothing was seen yet', async () => {
    await project.sql("insert into tasks (id, text) values ('toast', $1) on conflict (id) do nothing", [
      large(100_000),
    ]);
    const client = await openClient(project, ['tasks']);
    await client.live();
    for (const done of [true, false]) {
      await project.sql("update tasks set done = $1 where id = 'toast'", [done]);
      await until('the update', async () => (await client.rows('tasks')).get('toast')?.done === done);
      await same(client, 'tasks');
    }
    for (const { data } of client.told) expect(data).toHaveProperty('text');
  });

  test('two changes of a row in one transaction, with one time: the last one counts, even if it is not whole', async () => {
    const client = await openClient(project, ['stamped']);
    await client.live();
    const body = large(100_000);
    await project.sql(`do $$ begin
        insert into stamped (id, text, body) values ('a', 'first', '${body}');
        update stamped set text = 'second' where id = 'a';
        insert into stamped (id, text) values ('b', 'first');
        update stamped set text = 'second' where id = 'b';
        insert into stamped (id, text) values ('c', 'first');
        delete from stamped where id = 'c';
        insert into stamped (id, text) values ('c', 'again');
      end $$`);
    await same(client, 'stamped');
    expect((await client.rows('stamped')).get('a')?.body).toBe(body);
    // A key that changes, and one that is used again.
    await project.sql("update stamped set id = 'd' where id = 'b'");
    await project.sql(
      "do $$ begin delete from stamped where id = 'd'; insert into stamped (id, text) values ('d', 'anew'); end $$",
    );
    await same(client, 'stamped');
  });

  test('numbers that JSON rounds, bytes, odd names and another schema', async () => {
    const client = await openClient(project, ['odd'], {
      collections: {
        odd: {
          schema: 'app',
          table: 'Odd Table',
          id: 'uid',
          updatedAt: 'mtime',
          fields: {
            text: 'the text',
            price: { type: 'numeric' },
            big: { type: 'bigint' },
            raw: { type: 'bytea' },
          },
        },
      },
    });
    await client.live();
    await project.sql(`insert into app."Odd Table" values
      (9007199254740993, 'a', 1.50, 9007199254740993, '\\xdeadbeef'), (2, 'b', 'NaN', 5, null)`);
    const expected = {
      '9007199254740993': { text: 'a', price: '1.50', big: '9007199254740993', raw: '\\xdeadbeef' },
      '2': { text: 'b', price: 'NaN', big: '5', raw: null },
    };
    for (const [id, row] of Object.entries(expected))
      await until(`row ${id}`, async () => {
        const got = (await client.rows('odd')).get(id);
        return got !== undefined && JSON.stringify(got) === JSON.stringify({ ...got, ...row, id });
      });
    const odd = client.sync.collection('odd');
    await odd.update('9007199254740993', { price: '2.250', text: 'mine, "quoted"' });
    await odd.save({ text: 'new', big: '9223372036854775807', price: '3' }, '9007199254740995');
    await client.live();
    expect(client.errors).toEqual([]);
    expect(
      await project.sql(`select uid::text, "the text", price::text, big::text from app."Odd Table" order by uid`),
    ).toEqual([
      { uid: '2', 'the text': 'b', price: 'NaN', big: '5' },
      { uid: '9007199254740993', 'the text': 'mine, "quoted"', price: '2.250', big: '9007199254740993' },
      { uid: '9007199254740995', 'the text': 'new', price: '3', big: '9223372036854775807' },
    ]);
  });
});

test('81 nasty ids, read by one and by three, fetched, edited and deleted', async () => {
  // As they were written to the real PostgREST, and some more.
  const ids = [
    ...['plain', 'a,b', 'a,b,c', '"', '""', '"quoted"', 'a"b', 'a\\b', '\\', '\\"', '\\\\', 'tail\\', '(', ')', '(x)'],
    ...['a)b', 'a(b', ')),or(id.eq.1', 'a.b', '.', '..', 'eq.x', 'not.eq.x', 'in.(a,b)', ' lead', 'trail ', ' '],
    ...['  two  ', 'tab\tx', 'new\nline', 'cr\rx', 'null', 'NULL', 'true', '{', '}', '{a,b}', '{}', '[x]', '%', '%25'],
    ...['a+b', '+', 'a&b', 'a=b', 'a#b', 'a?b', 'a;b', 'a:b', 'a/b', '/', "'", "''", "it's", '$1', '🙂', '🙂,🙂', 'é'],
    ...['e\u0301', 'ß', 'İ', '\u200b', '\u2028', '日本語', 'Ω,"x"(\\)', '"a",b', '"a"b', '"a" ', 'x"', '"x', 'a,"'],
    ...['\u00a0', '\ufeff', '0', '-1', '1e5', 'z'.repeat(200), '*', 'a*b', '__proto__', 'constructor'],
  ];
  expect(new Set(ids).size).toBe(81);
  await project.sql('truncate tasks');
  await project.sql('insert into tasks (id, text) select unnest($1::text[]), $2', [ids, 'x']);
  const { transport, ...client } = await openClient(project, ['tasks'], {}, { pageSize: 3 });
  await client.live();
  const { signal } = new AbortController();
  for (const limit of [1, 3]) {
    const seen: string[] = [];
    for (let cursor: unknown = null, start = true; ; start = false) {
      const page = await transport.pull({ collection: 'tasks', cursor: cursor as null, start, limit, signal });
      if (page.changes.length === 0) break;
      seen.push(...page.changes.map(({ recordId }) => recordId));
      cursor = page.cursor;
    }
    expect(seen.length).toBe(81);
    expect(new Set(seen)).toEqual(new Set(ids));
  }
  const fetched = (await transport.fetch?.('tasks', [...ids, 'none', 'a\0b', '\ud800'], { signal })) as Change[];
  expect(new Set(fetched.map(({ recordId }) => recordId))).toEqual(new Set(ids));
  const tasks = client.sync.collection('tasks');
  // Core wants no dots, for backends that put ids into URLs.
  const usable = ids.filter((id) => id !== '.' && id !== '..');
  for (const id of usable) await tasks.update(id, { text: `mine ${id}` });
  await client.live();
  expect(await stored('tasks')).toEqual(new Map(ids.map((id) => [id, usable.includes(id) ? `mine ${id}` : 'x'])));
  await project.sql("delete from tasks where id in ('.', '..')");
  for (const id of usable) await tasks.delete(id);
  await tasks.save({ text: 'refused here' }, 'nul\0');
  await client.live();
  expect(await stored('tasks')).toEqual(new Map());
  expect(client.sync.outbox.failed().map(({ recordId }) => recordId)).toEqual(['nul\0']);
});

test('two transactions that commit in the opposite order of their times', async () => {
  const slow = new pg.Client({ connectionString: project.databaseUrl });
  await slow.connect();
  onTestFinished(() => slow.end());
  // Without a comparison of keys, only the overlap can find it.
  const client = await openClient(project, ['todos'], { collections: { todos: { deletedAt: 'deleted_at' } } });
  await client.live();
  await slow.query("begin; insert into todos (id, text) values ('early', 'x')");
  await project.sql("insert into todos (id, text) values ('late', 'x')");
  await until('the later one', async () => (await client.rows('todos')).has('late'));
  await client.sync.syncNow();
  await client.sync.pause();
  const witness = await openClient(project, ['todos']);
  await witness.live();
  await slow.query('commit');
  // Its event is over before the client listens again.
  await until('the event', () => witness.told.some(({ recordId }) => recordId === 'early'));
  client.sync.resume();
  await client.live();
  await same(client, 'todos');
  expect((await client.rows('todos')).has('early')).toBe(true);
});

test('only the rows of a filter; one that leaves it, and a TRUNCATE, are found by the audit', async () => {
  await project.sql('truncate tasks');
  await project.sql("insert into tasks (id, text, done) values ('in', 'x', true), ('out', 'x', false)");
  const client = await openClient(
    project,
    ['tasks'],
    { collections: { tasks: { where: 'done=eq.true' } } },
    { auditInterval: 1000 },
  );
  await client.live();
  const ids = async (): Promise<string> => [...(await client.rows('tasks')).keys()].sort().join();
  expect(await ids()).toBe('in');
  await project.sql("insert into tasks (id, text, done) values ('new in', 'x', true), ('new out', 'x', false)");
  await until('the new row', async () => (await ids()) === 'in,new in');
  await project.sql("update tasks set done = not done where id in ('in', 'out')");
  await until('what left is gone', async () => (await ids()) === 'new in,out');
  await project.sql('truncate tasks');
  await until('all is gone', async () => (await ids()) === '');
});

describe("a client of the app's own", () => {
  test('is used with its schema and its session, and its other channels go on', async () => {
    const app = createClient(project.url, project.anonKey, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    onTestFinished(async () => {
      await app.removeAllChannels();
    });
    const heard: unknown[] = [];
    const statuses: string[] = [];
    const other = app
      .channel('of the app')
      .on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, ({ eventType }) =>
        heard.push(eventType),
      );
    await new Promise<void>((resolve) => {
      other
        .on('system', {}, () => resolve())
        .subscribe((status) => {
          statuses.push(status);
        });
    });
    const client = await openClient(project, ['todos'], { client: app });
    await client.live();
    await project.sql("insert into todos (id, text) values ('shared', 'x')");
    await same(client, 'todos');
    await client.sync.pause();
    client.sync.resume();
    await client.live();
    await client.sync.close();
    await project.sql("update todos set text = 'y' where id = 'shared'");
    await until('the event of the app', () => heard.length === 2);
    expect(statuses).toEqual(['SUBSCRIBED']);
    expect(app.getChannels().map(({ topic }) => topic)).toEqual(['realtime:of the app']);
  });

  test('a broadcast topic that the app has joined itself is left alone, and that is said', async () => {
    const app = createClient(project.url, project.anonKey, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    onTestFinished(async () => {
      await app.removeAllChannels();
    });
    const statuses: string[] = [];
    const mine = app.channel('todos').subscribe((status) => statuses.push(status));
    await until('the join', () => statuses.length > 0);
    const client = await openClient(project, ['todos'], { client: app, mode: 'broadcast' });
    await until('the refusal', () => client.errors.some(({ code }) => code === 'SUBSCRIBE_REJECTED'));
    await client.sync.close();
    expect(app.getChannels()).toEqual([mine]);
    expect(statuses).toEqual(['SUBSCRIBED']);
  });

  test('a channel that the app closed by mistake comes back', async () => {
    const app = createClient(project.url, project.anonKey, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const client = await openClient(project, ['todos'], { client: app });
    await client.live();
    for (const channel of app.getChannels()) await app.removeChannel(channel);
    await project.sql("insert into todos (id, text) values ('meanwhile', 'x')");
    await same(client, 'todos');
    await client.live();
    await client.sync.close();
    await app.realtime.disconnect();
  });
});
