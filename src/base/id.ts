/**
 * A random UUID, version 4. `crypto.randomUUID` does not exist in pages that are not secure contexts, such as
 * `http://192.168.0.5`: where an app is tried on a phone; `getRandomValues` does. React Native and some workers have no
 * `crypto` at all: there the bits are those of Math.random, which make ids unique, but not secret.
 *
 * @example
 * newId(); // '3f2b6c1e-9d0a-4c57-8e21-5b7a90c4d3f6'
 */
export function newId(): string {
  const { crypto } = globalThis as { crypto?: Partial<Crypto> };
  if (crypto?.randomUUID) return crypto.randomUUID();
  const bytes = Uint8Array.from({ length: 16 }, () => Math.random() * 256);
  crypto?.getRandomValues?.(bytes);
  // RFC 9562: the version in the upper half of byte 6, the variant in the two upper bits of byte 8.
  const hex = [...bytes].map((byte, index) =>
    (index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte).toString(16).padStart(2, '0'),
  );
  return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
