import { PostgrestError, parseError } from './errors.js';
import { createScanner, readQuoted, type Scanner } from './scanner.js';

/** A column, and the way into its json: `data->a->>b`. */
export interface Field {
  readonly column: string;
  readonly path: readonly { readonly key: string; readonly text: boolean }[];
}

export type Condition =
  | {
      readonly kind: 'filter';
      readonly field: Field;
      readonly op: string;
      readonly negate: boolean;
      readonly value: Value;
    }
  | { readonly kind: 'tree'; readonly op: 'and' | 'or'; readonly negate: boolean; readonly of: readonly Condition[] };

export type Value = string | readonly string[];

export type SelectItem =
  | { readonly kind: 'all' }
  | {
      readonly kind: 'field';
      readonly field: Field;
      readonly alias: string | undefined;
      readonly cast: string | undefined;
    };

export interface OrderTerm {
  readonly field: Field;
  readonly descending: boolean;
  readonly nulls: 'first' | 'last' | undefined;
}

export interface Query {
  readonly select: readonly SelectItem[];
  readonly where: readonly Condition[];
  readonly order: readonly OrderTerm[];
  readonly limit: number | undefined;
  readonly offset: number;
  readonly columns: readonly string[] | undefined;
  readonly onConflict: readonly string[] | undefined;
}

const NAME = /[\p{L}\p{N}_$ ]+(?:-(?!>)[\p{L}\p{N}_$ ]+)*/uy;
const OPERATORS =
  /(?:eq|neq|gte|gt|lte|lt|like|ilike|match|imatch|in|isdistinct|is|cs|cd|ov|fts|plfts|phfts|wfts)(?=\.|\()/y;
const FIELD_EXPECTED = 'field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)';

type Fail = (details: string) => PostgrestError;

const failing =
  (what: string, scanner: Scanner, offset = 1): Fail =>
  (details) =>
    parseError(what, scanner.position + offset, details);

const unexpected = (scanner: Scanner, expected: string): string => {
  const [next] = scanner.rest;
  return `${next === undefined ? 'unexpected end of input' : `unexpected "${next}"`} expecting ${expected}`;
};

function readField(scanner: Scanner, fail: Fail, expected: string): Field {
  const column = readQuoted(scanner) ?? scanner.match(NAME)?.trim();
  if (column === undefined || column === '') throw fail(unexpected(scanner, expected));
  const path: { key: string; text: boolean }[] = [];
  for (let arrow = scanner.match(/->>?/y); arrow !== undefined; arrow = scanner.match(/->>?/y)) {
    const key = readQuoted(scanner) ?? scanner.match(/-?[\p{L}\p{N}_$]+/uy);
    if (key === undefined) throw fail(unexpected(scanner, 'json key'));
    path.push({ key, text: arrow === '->>' });
  }
  return { column, path };
}

/** A value inside a list or a tree: quoted, or raw up to the next `,` or `)`. */
function readElement(scanner: Scanner): string {
  const quoted = scanner.attempt(() => {
    const value = readQuoted(scanner);
    return value !== undefined && (scanner.done || /^[,)]/.test(scanner.rest)) ? value : undefined;
  });
  return quoted ?? scanner.match(/[^,)]*/y) ?? '';
}

/** A literal of an array, or of json: its commas are its own. */
const readArray = (scanner: Scanner): string | undefined => scanner.match(/\{[^{}]*\}(?=[,)]|$)/y);

function readList(scanner: Scanner, fail: Fail): string[] {
  if (!scanner.take('(')) throw fail(unexpected(scanner, '"("'));
  const elements = [readElement(scanner)];
  while (scanner.take(',')) elements.push(readElement(scanner));
  if (!scanner.take(')')) throw fail(unexpected(scanner, '")"'));
  scanner.match(/ */y);
  return elements.length === 1 && elements[0] === '' ? [] : elements;
}

/** `not.eq.value`: what stands after the field. `inTree`: a value ends at `,` or `)`, and may be quoted. */
function readOperation(scanner: Scanner, field: Field, inTree: boolean, fail: Fail): Condition {
  const negate = scanner.take('not.');
  const op = scanner.match(OPERATORS);
  if (op === undefined || !scanner.take('.')) throw fail(unexpected(scanner, '"not" or operator (eq, gt, ...)'));
  if (op === 'in') return { kind: 'filter', field, op, negate, value: readList(scanner, fail) };
  const value = inTree ? (readArray(scanner) ?? readElement(scanner)) : (scanner.match(/[\s\S]*/y) ?? '');
  return { kind: 'filter', field, op, negate, value };
}

function readCondition(scanner: Scanner, fail: Fail): Condition {
  const tree = scanner.attempt((): { op: 'and' | 'or'; negate: boolean } | undefined => {
    const negate = scanner.take('not.');
    const op = scanner.match(/(?:and|or)(?=\()/y);
    return op === 'and' || op === 'or' ? { op, negate } : undefined;
  });
  if (tree !== undefined) return readTree(scanner, tree.op, tree.negate, fail);
  const field = readField(scanner, fail, FIELD_EXPECTED);
  if (!scanner.take('.')) throw fail(unexpected(scanner, 'letter, digit, "-", "->>", "->" or delimiter (.)'));
  return readOperation(scanner, field, true, fail);
}

/** What stands behind the closing bracket is not looked at: so an unquoted `)` cuts a condition without a word. */
function readTree(scanner: Scanner, op: 'and' | 'or', negate: boolean, fail: Fail): Condition {
  if (!scanner.take('(')) throw fail(unexpected(scanner, '"("'));
  const of = [readCondition(scanner, fail)];
  scanner.match(/ */y);
  while (scanner.take(',')) {
    scanner.match(/ */y);
    of.push(readCondition(scanner, fail));
    scanner.match(/ */y);
  }
  if (!scanner.take(')')) throw fail(unexpected(scanner, '"," or ")"'));
  return { kind: 'tree', op, negate, of };
}

const FIELD_NAME = 'field name (* or [a..z0..9_$])';

function parseSelect(text: string): SelectItem[] {
  const scanner = createScanner(text);
  const fail = failing(`select parameter (${text})`, scanner);
  const item = (): SelectItem => {
    if (scanner.take('*')) return { kind: 'all' };
    const alias = scanner.attempt(() => {
      const name = readQuoted(scanner) ?? scanner.match(/[\p{L}\p{N}_$ -]+/uy);
      return name !== undefined && !scanner.rest.startsWith('::') && scanner.take(':') ? name : undefined;
    });
    const field = readField(scanner, fail, `"...", ${FIELD_NAME}, "*" or "count()"`);
    const cast = scanner.take('::') ? scanner.match(/[\p{L}\p{N}_ \][]+/uy) : undefined;
    return { kind: 'field', field, alias, cast };
  };
  if (scanner.done) return [{ kind: 'all' }];
  const items = [item()];
  while (scanner.take(',')) items.push(item());
  if (!scanner.done) throw fail(unexpected(scanner, '"," or end of input'));
  return items;
}

function parseOrder(text: string): OrderTerm[] {
  const scanner = createScanner(text);
  const fail = failing(`order (${text})`, scanner);
  const term = (): OrderTerm => {
    const field = readField(scanner, fail, FIELD_NAME);
    const directions = '"asc", "desc", "nullsfirst" or "nullslast"';
    let [descending, nulls]: [boolean, OrderTerm['nulls']] = [false, undefined];
    while (scanner.take('.')) {
      const word = scanner.match(/asc|desc|nullsfirst|nullslast/y);
      if (word === undefined) throw fail(unexpected(scanner, directions));
      if (word === 'asc' || word === 'desc') descending = word === 'desc';
      else nulls = word === 'nullsfirst' ? 'first' : 'last';
    }
    return { field, descending, nulls };
  };
  const terms = [term()];
  while (scanner.take(',')) terms.push(term());
  if (!scanner.done) throw fail(unexpected(scanner, '"," or end of input'));
  return terms;
}

function parseColumns(text: string): string[] {
  const scanner = createScanner(text);
  const fail = failing(`columns parameter (${text})`, scanner);
  const columns = [readField(scanner, fail, FIELD_NAME).column];
  while (scanner.take(',')) columns.push(readField(scanner, fail, FIELD_NAME).column);
  return columns;
}

function parseFilter(key: string, text: string): Condition {
  const name = createScanner(key);
  const field = readField(name, failing(`filter (${key})`, name), FIELD_NAME);
  if (field.path.length === 0 && name.take('.'))
    throw new PostgrestError(400, 'PGRST108', `'${field.column}' is not an embedded resource in this request`, {
      hint: `Verify that '${field.column}' is included in the 'select' query parameter.`,
    });
  const scanner = createScanner(text);
  return readOperation(scanner, field, false, failing(`filter (${text})`, scanner));
}

function parseTree(key: string, text: string): Condition {
  const scanner = createScanner(text);
  const [, not, op] = /^(not\.)?(and|or)$/.exec(key) ?? [];
  // PostgREST parses the key in front of it too.
  const fail = failing(`logic tree (${text})`, scanner, 1 + (op?.length ?? 0));
  return readTree(scanner, op === 'and' ? 'and' : 'or', not !== undefined, fail);
}

const integer = (text: string | null): number | undefined =>
  text !== null && /^-?\d+$/.test(text) ? Number(text) : undefined;

const RESERVED = new Set(['select', 'order', 'limit', 'offset', 'columns', 'on_conflict']);

/** The query string of a request. A key that is none of PostgREST's words names a column. */
export function parseQuery(params: URLSearchParams): Query {
  const where: Condition[] = [];
  for (const [key, value] of params) {
    if (RESERVED.has(key)) continue;
    where.push(/^(not\.)?(and|or)$/.test(key) ? parseTree(key, value) : parseFilter(key, value));
  }
  const order = params.get('order');
  const columns = params.get('columns');
  const onConflict = params.get('on_conflict');
  return {
    select: parseSelect(params.get('select') ?? ''),
    where,
    order: order === null || order === '' ? [] : parseOrder(order),
    limit: integer(params.get('limit')),
    offset: integer(params.get('offset')) ?? 0,
    columns: columns === null ? undefined : parseColumns(columns),
    onConflict: onConflict === null ? undefined : parseColumns(onConflict),
  };
}
