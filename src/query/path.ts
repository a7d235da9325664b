import type { Operator } from './types.js';

// How deep paths are spelled out; below, any path is taken. Each level multiplies what tsc has to enumerate.
type Deeper = readonly [never, 0, 1, 2, 3];

/** What a path goes through: null and missing hold nothing. `NonNullable<unknown>` would be `{}`, which has no fields. */
type Inside<T> = unknown extends T ? unknown : NonNullable<T>;

type SubPath<T, Depth extends number> = Depth extends 0
  ? string
  : unknown extends T
    ? string
    : T extends readonly (infer Element)[]
      ? `${number}` | `${number}.${SubPath<Inside<Element>, Deeper[Depth]>}`
      : T extends object
        ? { [Key in keyof T & string]-?: Key | `${Key}.${SubPath<Inside<T[Key]>, Deeper[Depth]>}` }[keyof T & string]
        : never;

/**
 * The paths into a row of type `T`: its fields, and with dots what is inside of them. Any string, if `T` is a row of
 * unknown fields.
 *
 * @example
 * type P = Path<{ id: string; address: { city: string } }>; // 'id' | 'address' | 'address.city'
 */
export type Path<T> = string extends keyof T ? string : SubPath<T, 3>;

/**
 * What a row of type `T` holds at a path. A field whose name contains the dot comes first, as when it is read.
 *
 * @example
 * type City = PathValue<{ id: string; address?: { city: string } }, 'address.city'>; // string
 */
export type PathValue<T, P extends string> = unknown extends T
  ? unknown
  : T extends readonly (infer Element)[]
    ? P extends `${number}.${infer Rest}`
      ? PathValue<Inside<Element>, Rest>
      : Element
    : P extends keyof T
      ? T[P]
      : P extends `${infer Key}.${infer Rest}`
        ? Key extends keyof T
          ? PathValue<Inside<T[Key]>, Rest>
          : never
        : never;

type Present<V> = Exclude<V, undefined>;
/** The part of a field's type that an operator can use; all of it, where the field's type is not known. */
type Only<V, Usable> = unknown extends V ? Usable : Extract<V, Usable>;
type Element<V> = Only<V, readonly unknown[]>[number];

/**
 * The value that `where` takes for an operator on a field of type `V`; `never` where the operator makes no sense.
 *
 * @example
 * type V = Operand<string | undefined, 'in'>; // readonly (string | null)[]
 */
export type Operand<V, O extends Operator> = O extends '==' | '!='
  ? Present<V> | null
  : O extends 'in' | 'notIn'
    ? readonly (Present<V> | null)[]
    : O extends '>' | '>=' | '<' | '<='
      ? Only<V, number | string | boolean>
      : O extends 'startsWith' | 'endsWith' | 'contains'
        ? Only<V, string> extends never
          ? never
          : string
        : O extends 'arrayContains'
          ? Element<V>
          : O extends 'arrayContainsAny'
            ? readonly Element<V>[]
            : boolean;
