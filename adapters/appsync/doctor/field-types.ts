import type { AppsyncCollection } from '../options.js';

/** A field as a schema of AppSync is to have it. */
export interface FieldType {
  readonly name: string;
  /** A scalar, or the fields of a type of its own. */
  readonly type: Scalar | readonly FieldType[];
  readonly list: boolean;
  /** False: the configuration does not say, and it is a guess. */
  readonly known: boolean;
}

export type Scalar = 'ID' | 'String' | 'Float' | 'Boolean' | 'AWSDateTime' | 'AWSJSON';

type Values = Readonly<Record<string, unknown>>;

/** GraphQL's Int has 32 bits, too few for a time in ms: a number is a Float. */
const scalars: Readonly<Record<string, Scalar>> = {
  string: 'String',
  enum: 'String',
  picklist: 'String',
  number: 'Float',
  integer: 'Float',
  boolean: 'Boolean',
};

const isDate = (format: unknown): boolean => /^(date-?time|iso_timestamp)$/.test(String(format));

/** One field of a schema of zod, of valibot, or a JSON Schema: where each of them says what it is. */
function typeOf(name: string, schema: unknown): FieldType {
  const { _zod, pipe, ...plain } = Object(schema) as Values;
  const { def } = Object(_zod) as { readonly def?: Values };
  const said: Values = def ?? { ...plain, type: Object(schema).type };
  const inner = said.innerType ?? said.wrapped;
  if (inner !== undefined) return typeOf(name, inner);
  const element = said.element ?? said.items ?? said.item;
  if (said.type === 'array' && element !== undefined) {
    const { type, known, list } = typeOf(name, element);
    return { name, type: list ? 'AWSJSON' : type, list: !list, known: known && !list };
  }
  const formats = [said.format, ...(Array.isArray(pipe) ? pipe.map((each) => Object(each).type) : [])];
  const [kind] = [said.type].flat().filter((each) => each !== 'null');
  const type = formats.some(isDate) ? 'AWSDateTime' : scalars[String(kind)];
  return { name, type: type ?? 'AWSJSON', list: false, known: type !== undefined };
}

/** `text`, or `address { city }`. */
function selected(tokens: string[]): FieldType[] {
  const found: FieldType[] = [];
  for (let token = tokens.shift(); token !== undefined && token !== '}'; token = tokens.shift()) {
    const nested = tokens[0] === '{' && tokens.shift() ? selected(tokens) : undefined;
    found.push({ name: token, type: nested ?? 'String', list: false, known: nested !== undefined });
  }
  return found;
}

/** The fields of a model, without its key. */
export function fieldTypes({ fields, id = 'id' }: AppsyncCollection): FieldType[] {
  if (Array.isArray(fields))
    return selected(fields.join(' ').match(/\w+|[{}]/g) ?? []).filter(({ name }) => name !== id);
  const { shape, entries, properties } = fields as Values;
  const all = Object.entries((shape ?? entries ?? properties ?? {}) as object);
  return all.flatMap(([name, schema]) => (name === id ? [] : typeOf(name, schema)));
}
