import { ok, unknown, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { sql } from '../../../src/adapter-kit/doctor/postgres-sql.js';
import type { Check } from '../../../src/adapter-kit/kit.js';
import type { ColumnType, InputType, RootField } from '../options.js';
import type { Reads } from '../reads.js';
import type { Table } from '../table.js';
import { columnsOf, type Place } from './place.js';
import { bare, type Fields, type Roots, readTypes } from './schema.js';
import { grantCall, metadataJson, type Right, rightsOf, trackCall } from './setup.js';

/** One table with where it lies. */
export interface Examined {
  readonly table: Table;
  readonly place: Place;
  /** What the options say of columns whose numbers need care, by column. */
  readonly numbers: ReadonlyMap<string, ColumnType>;
}

/** Names of roots that may be meant: they share a word with this one. */
function similar(fields: Fields, name: string): string {
  const wordsOf = (text: string): string[] => text.split(/_|(?=[A-Z])/).map((word) => word.toLowerCase());
  const words = wordsOf(name);
  const found = [...fields.keys()].filter((each) => wordsOf(each).some((word) => words.includes(word)));
  return found.length === 0 ? '' : ` There is: ${found.slice(0, 8).join(', ')}.`;
}

const metadata = (...calls: Parameters<typeof metadataJson>[0]): string =>
  `Send to /v1/metadata, with filters of yours:\n${metadataJson(calls)}`;

const missing = (fields: Fields, wanted: readonly string[]): string[] => wanted.filter((name) => !fields.has(name));

/** The root of a right, with the types that its documents name. */
function rightCheck({ table, place }: Examined, roots: Roots, right: Right): Check {
  const { collection } = table;
  const reading = right === 'select';
  const root = table.roots[right];
  const what = `${collection}: this role may ${reading ? 'read' : right} it`;
  const found = (reading ? roots.query : roots.mutation).get(root);
  if (!found) {
    const said = `There is no ${reading ? 'query' : 'mutation'} "${root}" for it.${similar(reading ? roots.query : roots.mutation, root)}`;
    const renamed = `If it has a custom name: collections: { ${collection}: { roots: { ${right}: "..." } } }. If not:`;
    return wrong(what, said, renamed, metadata(...(reading ? [trackCall(place)] : []), grantCall(place, right)));
  }
  const inputs: Readonly<Record<Right, readonly [argument: string, type: InputType][]>> = {
    select: [['where', 'where']],
    insert: [['objects', 'insert']],
    update: [
      ['where', 'where'],
      ['_set', 'set'],
    ],
    delete: [['where', 'where']],
  };
  for (const [argument, type] of inputs[right]) {
    const real = bare(found.args.get(argument) ?? '');
    if (real !== '' && real !== table.types[type])
      return wrong(
        what,
        `The type of "${argument}" is ${real}, not ${table.types[type]}.`,
        `Say so: collections: { ${collection}: { types: { ${type}: ${JSON.stringify(real)} } } }. Or is "naming" another?`,
      );
  }
  return ok(what);
}

const NO_TIME = (setting: string): string =>
  `-- Its values are no times. Give SyncLayer a timestamptz column of its own, and name it by ${setting}.`;

/** PostgreSQL's name of a type that Hasura shows. */
const typeIn = (shown = ''): string =>
  ({ timestamptz: 'timestamp with time zone', timestamp: 'timestamp without time zone', String: 'text' })[
    bare(shown)
  ] ?? bare(shown);

/** The columns of the table's primary key, as the root that finds a row by it has them. */
function primaryKeyIn({ table, place }: Examined, roots: Roots): readonly string[] {
  const names = [`${place.table}_by_pk`, `${place.table}ByPk`, table.word(`${place.table}_by_pk`)];
  const found = names.map((name) => roots.query.get(name)).find((root) => root !== undefined);
  return found ? [...found.args.keys()] : [];
}

function columnChecks(examined: Examined, row: Fields, roots: Roots): Check[] {
  const { table, place, numbers } = examined;
  const { collection, id: key, updatedAt, deletedAt } = table;
  const lacking = missing(row, columnsOf(table));
  const seen = `${collection}: all its fields are there`;
  const checks = [
    lacking.length === 0
      ? ok(seen)
      : wrong(
          seen,
          `This role has no ${lacking.join(', ')}. It has: ${[...row.keys()].join(', ')}.`,
          ...(lacking.includes(updatedAt) ? [sql.updatedAt(place)] : []),
          ...(deletedAt !== undefined && lacking.includes(deletedAt) ? [sql.deletedAt(place)] : []),
          'Add them to the columns of its select permission (drop it first), or correct "fields".',
          metadata(grantCall(place, 'select')),
        ),
  ];
  const typed = (column: string, good: readonly string[], fix: string): void => {
    const type = row.get(column)?.type;
    if (type === undefined) return;
    const what = `${collection}: ${column} is ${good[0]}`;
    // The fix is SQL, to be run as it is.
    checks.push(good.includes(type) ? ok(what) : wrong(what, `-- It is ${type}.`, fix));
  };
  typed(
    updatedAt,
    ['timestamptz!'],
    sql.toTime(place, place.updatedAt, typeIn(row.get(updatedAt)?.type), true) ?? NO_TIME('updatedAt'),
  );
  if (deletedAt !== undefined)
    typed(
      deletedAt,
      ['timestamptz'],
      `-- Null while the row is not deleted.\n${sql.toTime(place, place.deletedAt ?? '', typeIn(row.get(deletedAt)?.type), false) ?? NO_TIME('deletedAt')}`,
    );
  const type = row.get(key)?.type;
  if (type !== undefined) {
    const what = `${collection}: ${key} can be a record's id`;
    const said = numbers.get(key);
    const primary = primaryKeyIn(examined, roots);
    if (!type.endsWith('!'))
      checks.push(wrong(what, `It can be null (${type}). It must be a unique key, made by the client.`));
    else if (/^(Int|smallint)!$/.test(type) && said !== 'Int')
      checks.push(
        wrong(what, `It is ${type}. Say so: collections: { ${collection}: { fields: { id: { type: "Int" }, ... } } }.`),
      );
    else if (/^(bigint|numeric)!$/.test(type))
      checks.push(
        unknown(what, `It is ${type}: large ones are safe only with HASURA_GRAPHQL_STRINGIFY_NUMERIC_TYPES=true.`),
      );
    else if (primary.length > 1)
      checks.push(
        unknown(
          what,
          `The table has a key of several columns: ${primary.join(', ')}. Unless ${key} alone is unique, rows that share it are one record. With --database-url it can be found out.`,
        ),
      );
    else checks.push(ok(what));
  }
  return checks;
}

/** What is written has to be in the input types. */
function inputCheck(what: string, { place }: Examined, fields: Fields, wanted: readonly string[], right: Right): Check {
  const lacking = missing(fields, wanted);
  if (lacking.length === 0) return ok(what);
  return wrong(
    what,
    `This role may not set ${lacking.join(', ')}.`,
    `Add them to the columns of its ${right} permission (drop it first), unless they are for reading only.`,
    metadata(grantCall(place, right)),
  );
}

function liveCheck({ table, place }: Examined, { subscription }: Roots): Check[] {
  const { collection, roots, mode, watchCount, deletedAt } = table;
  const check = (kind: RootField, why: string): Check => {
    const what = `${collection}: it can be subscribed to (${roots[kind]})`;
    if (subscription.has(roots[kind])) return ok(what);
    return wrong(
      what,
      `There is no subscription "${roots[kind]}" for this role.${similar(subscription, roots[kind])}`,
      why,
    );
  };
  const again = metadata(grantCall(place, 'select'));
  return [
    mode === 'stream'
      ? check(
          'stream',
          `Streams are there from Hasura 2.7 on, unless subscription_root_fields of the select permission leaves "select_stream" out. Or: mode: "live".`,
        )
      : check('select', `subscription_root_fields of the select permission has to hold "select".\n${again}`),
    ...(watchCount && deletedAt === undefined
      ? [check('aggregate', `watchCount needs allow_aggregations in the select permission (drop it first).\n${again}`)]
      : []),
  ];
}

/** All that the schema shows of one table, with what puts it right. */
export async function schemaChecks(
  examined: Examined,
  roots: Roots,
  reads: Reads,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const { table } = examined;
  const { collection, id: key, updatedAt, deletedAt } = table;
  const readable = rightCheck(examined, roots, 'select');
  const select = roots.query.get(table.roots.select);
  if (!select) return [readable];
  const inserted = bare(roots.mutation.get(table.roots.insert)?.args.get('objects') ?? '');
  const set = bare(roots.mutation.get(table.roots.update)?.args.get('_set') ?? '');
  const fieldsOf = await readTypes(reads, [bare(select.type), inserted, set].filter(Boolean), signal);
  const written = columnsOf(table).filter((column) => ![key, updatedAt, deletedAt].includes(column));
  return [
    readable,
    ...columnChecks(examined, fieldsOf(bare(select.type)), roots),
    ...liveCheck(examined, roots),
    ...rightsOf(examined.place)
      .filter((right) => right !== 'select')
      .map((right) => rightCheck(examined, roots, right)),
    ...(inserted === ''
      ? []
      : [
          inputCheck(
            `${collection}: an insert may set all its fields`,
            examined,
            fieldsOf(inserted),
            [key, ...written],
            'insert',
          ),
        ]),
    ...(set === ''
      ? []
      : [
          inputCheck(
            `${collection}: an update may set all its fields`,
            examined,
            fieldsOf(set),
            [...written, ...(deletedAt === undefined ? [] : [deletedAt])],
            'update',
          ),
        ]),
  ];
}
