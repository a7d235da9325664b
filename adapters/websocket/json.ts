const encoder = new TextEncoder();

/** How long a text is on the wire, as UTF-8. A short one is counted here: calling the platform takes longer than that. */
export function byteLength(text: string): number {
  let bytes = text.length;
  if (bytes > 2000) return encoder.encode(text).length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // Three bytes above 0x7ff, but the two halves of a pair have four together.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit & 0xf800) !== 0xd800 ? 2 : 1;
  }
  return bytes;
}

/**
 * JSON without fields named __proto__: assigning such a field sets a prototype instead. `poisoned`: there was one.
 * Throws SyntaxError.
 */
export function parseJson(text: string): { readonly value: unknown; readonly poisoned: boolean } {
  let poisoned = false;
  // A reviver makes parsing several times slower, so only a text that could hide one gets it.
  const suspect = text.includes('__proto__') || text.includes('\\u00');
  const value: unknown = suspect
    ? JSON.parse(text, (key, inner: unknown) => {
        if (key !== '__proto__') return inner;
        poisoned = true;
        return undefined;
      })
    : JSON.parse(text);
  return { value, poisoned };
}
