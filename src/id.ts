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

const UUID = /^\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i;

/**
 * An id as a database writes it whose column has one spelling for each value: a uuid, a number, a padded text.
 *
 * @example
 * usualSpelling('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'); // 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
 * usualSpelling('0071'); // '71'
 */
export function usualSpelling(id: string): string {
  const [, ...parts] = UUID.exec(id) ?? [];
  if (parts.length > 0) return parts.join('-').toLowerCase();
  const [, minus, digits] = /^\s*(?:\+|(-))?0*(\d+)\s*$/.exec(id) ?? [];
  return digits === undefined ? id.trimEnd() : digits === '0' ? digits : `${minus ?? ''}${digits}`;
}
