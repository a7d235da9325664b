import { ident, nameOf, type SqlPlace, sql, TOUCH } from './postgres-sql.js';

/** A trigger that fires for each row before it is written. */
export interface Trigger {
  readonly name: string;
  readonly insert: boolean;
  readonly update: boolean;
  /** It fires only where some columns are named by the statement: `update of text`. */
  readonly narrow: boolean;
  readonly function: string;
  /** The function's source. */
  readonly body: string;
  /** The trigger's arguments, as the catalog has them. */
  readonly args: string;
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
const withoutComments = (body: string): string => body.replaceAll(/--.*$|\/\*[\s\S]*?\*\//gm, '');

/** Whether it gives the column a value. A comparison is none: an assignment begins a statement. */
export function sets({ body, function: fn, args }: Trigger, column: string): boolean {
  // Of the extension of that name, in C.
  if (fn === 'moddatetime') return args.split('\\000').includes(column);
  const target = `new\\s*\\.\\s*(?:${escaped(column)}\\b|"${escaped(column)}")`;
  const assigned = new RegExp(`(?:^|;|\\b(?:begin|then|else|loop)\\b)\\s*${target}\\s*:?=`, 'i');
  const selected = new RegExp(`\\binto\\s+(?:strict\\s+)?${target}`, 'i');
  const text = withoutComments(body);
  return assigned.test(text) || selected.test(text);
}

/** Whether that value is the moment of the write, and not of the beginning of its transaction or statement. */
const isMoment = ({ body }: Trigger): boolean => /\bclock_timestamp\s*\(/i.test(withoutComments(body));

/** As the database orders them, by bytes. */
const after = (name: string, other: string): boolean => {
  const [one, two] = [name, other].map((text) => new TextEncoder().encode(text)) as [Uint8Array, Uint8Array];
  const at = one.findIndex((byte, index) => byte !== two[index]);
  return at >= 0 && (one[at] ?? 0) > (two[at] ?? -1);
};

/**
 * What is wrong with how `updatedAt` is set, as SQL that puts it right, with remarks; undefined: each write sets it to its own moment.
 * `triggers`: in the order in which they fire. `hasDefault`: an insert gets the moment from the column's default.
 */
export function touchFault(place: SqlPlace, triggers: readonly Trigger[], hasDefault: boolean): string | undefined {
  const { updatedAt } = place;
  const setters = triggers.filter((each) => sets(each, updatedAt));
  const last = (operation: 'insert' | 'update'): Trigger | undefined =>
    setters.filter((each) => each[operation] && !each.narrow).at(-1);
  const onInsert = last('insert');
  const onUpdate = last('update');
  const late = setters.filter((each) => !isMoment(each) && (each.insert || each.update));
  const wellInserted = onInsert ? isMoment(onInsert) : hasDefault;
  const wellUpdated = onUpdate !== undefined && isMoment(onUpdate);
  // A narrow one that fires after the good one still spoils some writes.
  const spoilers = late.filter(({ name }) => !onUpdate || !isMoment(onUpdate) || after(name, onUpdate.name));
  if (wellInserted && wellUpdated && spoilers.length === 0) return undefined;
  const names = (some: readonly Trigger[]): string => some.map(({ name }) => ident(name)).join(', ');
  const inTheWay = late.filter(({ name }) => after(name, TOUCH));
  return [
    late.length === 0
      ? '-- No trigger sets it at each insert and update.'
      : `-- In the way: ${names(late)} sets ${updatedAt} to another time than that of the write. now() is when the transaction began: changes that commit late are missed.`,
    `-- ${TOUCH} fires last, by its name, and has the last word.`,
    // By its name it would fire after ours.
    ...inTheWay.map(({ name }) => `alter trigger ${ident(name)} on ${nameOf(place)} rename to ${ident(`a_${name}`)};`),
    sql.trigger(place),
  ].join('\n');
}
