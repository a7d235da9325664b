import * as z from 'zod/mini';
import { SyncLayerError } from './errors.js';

/**
 * A rule for one option. `expected` ends the sentence "this option must be ...". All rules in core are made of this one:
 * zod's own checks would triple what it adds to an app's bundle, and say less.
 *
 * @example
 * const port = rule<number>('a whole number, 1 to 65535', (value) => Number.isInteger(value) && value > 0);
 */
export const rule = <T>(expected: string, test: (value: unknown) => boolean): z.ZodMiniCustom<T, T> =>
  z.custom<T>(test, { error: expected });

/**
 * Checks options against a schema whose `error` texts end the sentence "it must be ...". Every problem is listed, with
 * the key and the fix; values are not repeated, since one of them may be a secret.
 *
 * @throws SyncLayerError CONFIG_INVALID; `details.problems` has the list.
 * @example
 * const options = parseOptions(z.strictObject({ url: z.url({ error: 'a ws:// or wss:// URL' }) }), input, 'websocketTransport');
 */
export function parseOptions<S extends z.ZodMiniType>(schema: S, input: unknown, where: string): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => describe(issue, schema, input));
  const message = `${where} cannot use its options:\n${problems.map((problem) => `- ${problem}`).join('\n')}`;
  throw new SyncLayerError('CONFIG_INVALID', message, { details: { problems } });
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodMiniType, input: unknown): string[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') {
    const value = path.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], input);
    return [`${path.join('.') || 'the argument'} must be ${issue.message} (${got(value)})`];
  }
  const known = Object.keys(shapeOf(path.reduce<unknown>((inner, key) => shapeOf(inner)?.[key], schema)) ?? {});
  return issue.keys.map((key) => `${[...path, key].join('.')} is not an option; ${suggest(key, known)}`);
}

/** What kind of value it is: enough to see the mistake, too little to give a secret away. */
function got(value: unknown): string {
  if (value === undefined) return 'it is missing';
  if (value === null || Number.isNaN(value)) return `got ${value}`;
  if (Array.isArray(value)) return 'got an array';
  return `got ${typeof value === 'object' ? 'an' : value === '' ? 'an empty' : Number.isFinite(value) && Number(value) < 0 ? 'a negative' : 'a'} ${typeof value}`;
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const def = (schema as { def?: { shape?: Record<string, unknown>; innerType?: unknown } } | undefined)?.def;
  return def?.shape ?? (def?.innerType ? shapeOf(def.innerType) : undefined);
}

/** What to do about a name that is not known. */
export function suggest(key: string, known: readonly string[], prefix = ''): string {
  const low = key.toLowerCase();
  const far = known.map((name) => distance(name.toLowerCase(), low));
  const nearest = Math.min(...far);
  const close = known.filter((name, index) =>
    nearest <= Math.ceil(key.length / 3) ? far[index] === nearest : name.toLowerCase().includes(low),
  );
  if (close.length > 0) return `did you mean ${close.map((name) => `"${prefix}${name}"`).join(' or ')}?`;
  return known.length > 0 ? `known are ${known.map((name) => prefix + name).join(', ')}` : 'remove it';
}

/** Levenshtein: how many letters to change, add or remove. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
