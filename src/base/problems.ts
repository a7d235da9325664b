import { SyncLayerError } from './errors.js';

/** What each option must be: how the sentence "this option must be ..." ends, and the test. */
export type OptionRules = Readonly<Record<string, readonly [expected: string, test: (value: unknown) => boolean]>>;

/**
 * Checks options, each of which may be left out unless `required` names it. An old name, a key of `renamed`, is refused
 * with the new one, its value. Every problem is listed, with the key and the
 * fix; values are not repeated, since one of them may be a secret. For what every app loads: it needs no zod.
 *
 * @throws SyncLayerError CONFIG_INVALID; `details.problems` has the list.
 * @example
 * checkOptions({ url: ['a ws:// or wss:// URL', isSocketUrl] }, input, 'websocketTransport', ['url']);
 */
export function checkOptions(
  rules: OptionRules,
  input: unknown,
  where: string,
  required: readonly string[] = [],
  renamed: Readonly<Record<string, string>> = {},
): void {
  const options = Object(input) as Readonly<Record<string, unknown>>;
  const problems = Object.entries(rules).flatMap(([key, [expected, test]]) => {
    const value = options[key];
    const fits = value === undefined ? !required.includes(key) : test(value);
    return fits ? [] : `${key} must be ${expected} (${got(value)})`;
  });
  const known = Object.keys(rules);
  for (const key of Object.keys(options))
    if (!known.includes(key))
      problems.push(
        Object.hasOwn(renamed, key)
          ? `${key} is called ${renamed[key]} now`
          : `${key} is not an option; ${suggest(key, known)}`,
      );
  if (problems.length > 0) throw refusal(where, problems);
}

/**
 * The defaults, with what is given instead; a field that is given as `undefined` is not.
 *
 * @example
 * const { port } = withDefaults({ port: 80 }, options);
 */
export const withDefaults = <D extends object, G extends object>(defaults: D, given: G): D & G =>
  Object.fromEntries([
    ...Object.entries(defaults),
    ...Object.entries(given).filter(([, value]) => value !== undefined),
  ]) as D & G;

export const refusal = (where: string, problems: readonly string[]): SyncLayerError =>
  new SyncLayerError('CONFIG_INVALID', [`${where} cannot use its options:`, ...problems].join('\n- '), {
    details: { problems },
  });

/** What kind of value it is: enough to see the mistake, too little to give a secret away. */
export function got(value: unknown): string {
  if (value === undefined) return 'it is missing';
  if (value === null || Number.isNaN(value)) return `got ${value}`;
  const kind = Array.isArray(value) ? 'array' : typeof value;
  const which = value === '' ? 'empty ' : typeof value === 'number' && value < 0 ? 'negative ' : '';
  return `got ${/^[aeo]/.test(which + kind) ? 'an' : 'a'} ${which}${kind}`;
}

/** Its pairs of neighbouring letters. */
const pairs = (name: string): Set<string> =>
  new Set([...name.toLowerCase()].map((letter, index, all) => letter + all[index + 1]));

/** How much two names look alike, 0 to 1. */
function likeness(one: Set<string>, other: Set<string>): number {
  return [...one].filter((pair) => other.has(pair)).length / Math.max(one.size, other.size);
}

/** What to do about a name that is not known. */
export function suggest(key: string, known: readonly string[], prefix = ''): string {
  const alike = known.map((name) => likeness(pairs(name), pairs(key)));
  const most = Math.max(...alike);
  const close = known.filter((name, index) =>
    most > 0.45 ? alike[index] === most : name.toLowerCase().includes(key.toLowerCase()),
  );
  if (close.length > 0) return `did you mean ${close.map((name) => `"${prefix}${name}"`).join(' or ')}?`;
  return known.length > 0 ? `known are ${known.map((name) => prefix + name).join(', ')}` : 'remove it';
}
