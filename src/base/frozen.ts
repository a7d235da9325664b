/** Stands where a row's type has what no row can hold: nothing fits it, and the compiler's message says what to do. */
export interface NotJson<Fix extends string> {
  readonly 'Rows hold plain JSON': Fix;
}

type Primitive = null | undefined | boolean | number | string;

/**
 * A row's type as the row really is: frozen, with all that is in it. What JSON cannot hold becomes a type that nothing fits.
 * It fits where a value is taken, too: a mutable array is a readonly one.
 *
 * @example
 * type Tags = Frozen<{ id: string; tags: string[] }>; // { readonly id: string; readonly tags: readonly string[] }
 */
// It resolves to plain object types, which editors show in full instead of this name.
export type Frozen<T> = T extends Primitive
  ? T
  : T extends bigint
    ? NotJson<'Convert the bigint with String()'>
    : T extends Date
      ? NotJson<'Convert the Date with toISOString()'>
      : T extends ReadonlyMap<unknown, unknown>
        ? NotJson<'Convert the Map with Object.fromEntries()'>
        : T extends ReadonlySet<unknown>
          ? NotJson<'Convert the Set with [...set]'>
          : T extends symbol | RegExp | ((...args: never) => unknown)
            ? NotJson<'Leave it out of the row'>
            : T extends object
              ? { readonly [Key in keyof T]: Frozen<T[Key]> }
              : T;
