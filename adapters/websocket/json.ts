const encoder = new TextEncoder();

/** How long a text is on the wire. */
export const byteLength = (text: string): number => encoder.encode(text).length;

/**
 * JSON without fields named __proto__: assigning such a field sets a prototype instead. `poisoned`: there was one.
 * Throws SyntaxError.
 */
export function parseJson(text: string): { readonly value: unknown; readonly poisoned: boolean } {
  let poisoned = false;
  // A reviver makes parsing several times slower, so only a text that could hide one gets it.
  const suspect = /__proto__|\\u005f/i.test(text);
  const value: unknown = suspect
    ? JSON.parse(text, (key, inner: unknown) => {
        if (key !== '__proto__') return inner;
        poisoned = true;
        return undefined;
      })
    : JSON.parse(text);
  return { value, poisoned };
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
