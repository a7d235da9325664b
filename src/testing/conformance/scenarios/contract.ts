import { type Change, compareVersions, type Version } from '../../../base/change.js';
import { isSyncLayerError } from '../../../base/errors.js';
import type { OutgoingChange, TransportCapabilities, VersionRange } from '../../../transport/transport.js';
import { check, equal, fail } from '../check.js';
import type { ConformanceRow } from '../options.js';
import { pushes, type Scenario } from '../scenario.js';

const insert = (collection: string, id: string, data: Partial<ConformanceRow>): OutgoingChange => ({
  type: 'insert',
  collection,
  recordId: id,
  opId: `op-${id}`,
  data: { ...data, id },
  base: null,
  baseVersion: null,
  timestamp: Date.now(),
});

/** What the interface's docstrings promise, of the transport alone. */
export const contract: readonly Scenario[] = [
  {
    name: 'the transport has the capabilities that the suite was told',
    law: 1,
    async run({ bare, capabilities, names }) {
      const { transport } = await bare();
      // By how many changes go in one push no scenario is chosen.
      const whole = ({ pushSize: _, ...rest }: TransportCapabilities) => ({
        ...{ idempotent: false, live: true, editTimes: false },
        ...rest,
      });
      equal(whole(transport.capabilities), whole(capabilities), 'Capabilities.');
      for (const collection of Object.values(names)) {
        const own = transport.capabilitiesOf?.(collection);
        if (own) equal(whole(own), whole(capabilities), `Capabilities of "${collection}".`);
      }
    },
  },
  {
    name: 'a pull from the start gives every row once an empty page ends it, whatever the page size',
    law: 1,
    async run({ bare, putMany, backend, names }) {
      const ids = Array.from({ length: 25 }, (_, index) => `row ${index}`);
      await putMany(ids);
      const { pullAll } = await bare();
      for (const limit of [1, 3, 100]) {
        const { rows } = await pullAll(null, limit);
        equal([...rows.keys()].sort(), [...(await backend.read(names.first)).keys()].sort(), `Page size ${limit}.`);
      }
    },
  },
  {
    name: 'a cursor is JSON, and goes on where it stood',
    law: 1,
    async run({ bare, put, capabilities }) {
      await put('a');
      const { pullAll } = await bare();
      const { cursor } = await pullAll();
      const copy = JSON.parse(JSON.stringify(cursor));
      equal(copy, cursor, 'A cursor survives JSON.');
      await put('b');
      const { rows } = await pullAll(copy);
      check(rows.has('b'), 'A row written after the cursor was not pulled.');
      if (capabilities.cursor === 'sequence') equal([...rows.keys()], ['b'], 'A sequence does not repeat.');
    },
  },
  {
    name: 'versions of a record go up, and are the same in every event, page and key',
    law: 3,
    async run({ bare, put, names, wait }) {
      const { transport, subscribe, pullAll } = await bare();
      const { said } = subscribe(names.first);
      await wait('live', () => said.includes('live'));
      const versions: Change['version'][] = [];
      for (let round = 0; round < 3; round++) {
        await put('a');
        const { rows } = await pullAll();
        versions.push(rows.get('a')?.version ?? fail('The row is not in the pull.'));
      }
      for (const [index, version] of versions.entries())
        if (index > 0)
          check(
            compareVersions(versions[index - 1] ?? 0, version) < 0,
            `Versions do not go up: ${versions.join(', ')}.`,
          );
      const events = (): Change[] => said.filter((each) => typeof each === 'object');
      await wait('the last event', () => events().at(-1)?.version === versions.at(-1), events);
      for await (const page of transport.keys?.(names.first, { signal: new AbortController().signal }) ?? [])
        for (const { recordId, version } of page)
          if (version !== undefined) equal([recordId, version], ['a', versions.at(-1)], 'The version among the keys.');
    },
  },
  {
    name: 'fetch gives the rows that exist, and leaves out those that do not',
    law: 4,
    async run({ bare, put, names }) {
      await put('a');
      const row = await put('b', { text: 'second' });
      const { transport } = await bare();
      const { signal } = new AbortController();
      const found = (await transport.fetch?.(names.first, ['b', 'none'], { signal })) ?? [];
      if (!transport.fetch) return;
      const rows = found.filter(({ type }) => type !== 'delete');
      equal(
        rows.map(({ recordId }) => recordId),
        ['b'],
        'What was fetched.',
      );
      const { text, count } = (rows[0]?.type !== 'delete' && rows[0]?.data) || {};
      equal({ text, count }, { text: 'second', count: row.count }, 'The fetched row.');
    },
  },
  {
    name: 'what it counts of a range of versions is what it lists of that',
    law: 5,
    async run({ bare, putMany, remove, names: { first } }) {
      await putMany(Array.from({ length: 12 }, (_, index) => `row ${index}`));
      await remove('row 3');
      const { transport, pullAll } = await bare();
      const { count } = transport;
      if (!count) return;
      const { signal } = new AbortController();
      const versions = [...(await pullAll()).rows.values()].map(({ version }) => version).sort(compareVersions);
      const middle = versions[6] as Version;
      const ranges: readonly VersionRange[] = [
        {},
        { before: middle },
        { upTo: middle },
        { from: middle },
        { after: middle },
        { from: middle, before: middle },
        { from: middle, upTo: middle },
      ];
      for (const range of ranges) {
        const listed: Version[] = [];
        for await (const page of transport.keys?.(first, { signal, range }) ?? [])
          listed.push(...page.map(({ version }) => version as Version));
        equal(
          await count.call(transport, first, { signal, range }),
          listed.length,
          `Rows of ${JSON.stringify(range)}.`,
        );
        const isIn = (version: Version): boolean =>
          (range.from === undefined || compareVersions(version, range.from) >= 0) &&
          (range.after === undefined || compareVersions(version, range.after) > 0) &&
          (range.before === undefined || compareVersions(version, range.before) < 0) &&
          (range.upTo === undefined || compareVersions(version, range.upTo) <= 0);
        equal(listed.sort(compareVersions), versions.filter(isIn), `Versions of ${JSON.stringify(range)}.`);
      }
    },
  },
  {
    name: 'a read over a line that fails is an error or the whole truth, never less',
    law: 5,
    async run({ bare, putMany, names, backend }) {
      const ids = Array.from({ length: 30 }, (_, index) => `row ${index}`).sort();
      await putMany(ids);
      const { transport, pullAll } = await bare();
      const keys = async (): Promise<string[]> => {
        const found: string[] = [];
        for await (const page of transport.keys?.(names.first, { signal: new AbortController().signal }) ?? [])
          found.push(...page.map(({ recordId }) => recordId));
        return found.sort();
      };
      const pulled = async (): Promise<string[]> => [...(await pullAll(null, 10)).rows.keys()].sort();
      for (const read of transport.keys ? [pulled, keys] : [pulled])
        for (const trouble of ['cut', 'hang'] as const) {
          if (trouble === 'hang') await backend.hang(true);
          const reading = read().catch(() => ids);
          if (trouble === 'hang') await backend.hang(false);
          else await backend.cut();
          equal(
            await reading,
            ids,
            `What ${read === keys ? 'keys' : 'pull'} gave although the line failed (${trouble}).`,
          );
        }
    },
  },
  {
    name: 'a push says what became of each change, in order',
    law: 7,
    leftOut: pushes,
    async run({ bare, names, put, nextRow, backend }) {
      await put('taken');
      const { transport } = await bare();
      const changes = ['new 1', 'taken', 'new 2'].map((id) => insert(names.first, id, nextRow()));
      const results = await transport.push(changes, { signal: new AbortController().signal });
      equal(
        results.map(({ type }) => type),
        ['applied', 'conflict', 'applied'],
        'The answers.',
      );
      const conflict = results[1];
      if (conflict?.type === 'conflict')
        equal(conflict.current.data?.text, 'text of taken', 'A conflict gives the row that stood in the way.');
      equal([...(await backend.read(names.first)).keys()].sort(), ['new 1', 'new 2', 'taken'], 'The backend.');
    },
  },
  {
    name: 'an edit of an old version is a conflict: of twenty pairs at once one wins each time',
    law: 8,
    leftOut: pushes,
    async run({ bare, names, put, nextRow, backend }) {
      const [one, two] = [await bare(), await bare()];
      await put('a');
      const { signal } = new AbortController();
      for (let round = 0; round < 20; round++) {
        const current = (await one.pullAll()).rows.get('a');
        if (current?.type === 'delete' || !current) return fail('The row is not in the pull.');
        const edits = [one, two].map(({ transport }, who) => {
          const data = { ...current.data, ...nextRow(`round ${round} by ${who}`) };
          const { text, count } = data;
          return transport.push(
            [
              {
                type: 'update',
                collection: names.first,
                recordId: 'a',
                opId: `op ${round} ${who}`,
                data,
                patch: { text, count },
                base: current.data,
                baseVersion: current.version,
                timestamp: Date.now(),
              },
            ],
            { signal },
          );
        });
        const results = (await Promise.all(edits)).map(([result]) => result?.type);
        equal([...results].sort(), ['applied', 'conflict'], `Round ${round}.`);
        const winner = results.indexOf('applied');
        equal(
          (await backend.read(names.first)).get('a')?.text,
          `round ${round} by ${winner}`,
          'The row of the winner.',
        );
      }
    },
  },
  {
    name: 'a field that a row lacks is missing where it is read, or null where the values of the transport say columns',
    law: 8,
    leftOut: pushes,
    async run({ bare, names, nextRow }) {
      const { transport, pullAll } = await bare();
      const { text: _, ...lacking } = nextRow();
      const [result] = await transport.push([insert(names.first, 'a', lacking)], {
        signal: new AbortController().signal,
      });
      // A column may want a value.
      if (result?.type === 'rejected') return;
      const row = (await pullAll()).rows.get('a');
      if (!row || row.type === 'delete') return fail('The row is not in the pull.');
      const columns = transport.values?.(names.first).fields === 'columns';
      const read = row.data.text === null ? 'null' : row.data.text === undefined ? 'missing' : 'a value';
      equal(read, columns ? 'null' : 'missing', 'The field that the row lacks. Say what is so with `values`.');
    },
  },
  {
    name: 'nothing comes after unsubscribe',
    law: 9,
    async run({ bare, names, put, wait }) {
      const { subscribe } = await bare();
      const [one, two] = [subscribe(names.first), subscribe(names.second)];
      await wait('live', () => one.said.includes('live') && two.said.includes('live'));
      one.stop();
      const before = one.said.length;
      await put('a');
      await put('b', { collection: names.second });
      // The other one, later on the same line, has heard of its own.
      await wait('the other event', () => two.said.some((each) => typeof each === 'object'));
      equal(one.said.slice(before), [], 'A subscription that was given up.');
    },
  },
  {
    name: 'connect ends when it is told to, and after close it is refused',
    law: 9,
    async run({ bare, options, backend }) {
      const { transport } = await bare();
      await transport.close();
      await transport.close();
      const late = await transport.connect({ signal: new AbortController().signal }).then(
        () => 'connected',
        (error: unknown) => (isSyncLayerError(error) ? error.code : String(error)),
      );
      equal(late, 'CLOSED', 'connect() after close().');
      const other = await options.create(backend);
      const aborted = other.connect({ signal: AbortSignal.abort() }).then(
        () => 'connected',
        () => 'refused',
      );
      equal(await aborted, 'refused', 'connect() with a signal that is aborted.');
      await other.close();
    },
  },
];
