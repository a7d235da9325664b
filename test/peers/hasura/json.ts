const TEXT = Symbol('text');

/** A value that is JSON text already: a number that JavaScript would round, or what a json column holds. */
export interface Verbatim {
  readonly [TEXT]: string;
}

export const verbatim = (text: string): Verbatim => ({ [TEXT]: text });

const isVerbatim = (value: object): value is Verbatim => TEXT in value;

/** `JSON.stringify`, which also writes what is verbatim. */
export function writeJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (isVerbatim(value)) return value[TEXT];
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${writeJson(each)}`).join(',')}}`;
}

type Reviver = (key: string, value: unknown) => unknown;

const exact = (_: string, value: unknown, { source }: { readonly source: string }): unknown =>
  typeof value === 'number' && String(value) !== source ? verbatim(source) : value;

/** `JSON.parse`, which keeps the digits of numbers that JavaScript would round. */
export const readJson = (text: string): unknown => JSON.parse(text, exact as Reviver);

/** A value as Postgres reads it from text. `json`: for a column that holds JSON. */
export function toText(value: unknown, json: boolean): string | null {
  if (value === null || value === undefined) return null;
  if (json || typeof value === 'object') return writeJson(value);
  return String(value);
}
