import type * as z from 'zod/mini';
import { SyncLayerError } from './errors.js';

/**
 * Checks options against a schema whose `error` texts say what is expected. Every problem is listed, with the key and the
 * fix; values are not repeated, since one of them may be a secret.
 *
 * @throws SyncLayerError CONFIG_INVALID; `details.problems` has the list.
 * @example
 * const options = parseOptions(z.strictObject({ url: z.url({ error: 'a ws:// or wss:// URL' }) }), input, 'websocketTransport');
 */
export function parseOptions<S extends z.ZodMiniType>(schema: S, input: unknown, where: string): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => describe(issue, schema, input));
  const message = `${where} was given options that it cannot use:\n${problems.map((problem) => `- ${problem}`).join('\n')}`;
  throw new SyncLayerError('CONFIG_INVALID', message, { details: { problems } });
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodMiniType, input: unknown): string[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, issue.path);
    return issue.keys.map((key) => {
      const close = known.find(
        (other) => distance(other.toLowerCase(), key.toLowerCase()) <= Math.max(2, key.length / 3),
      );
      const fix = close ? `did you mean "${close}"?` : known.length > 0 ? `known are ${known.join(', ')}` : 'remove it';
      return `${path ? `${path}.` : ''}${key} is not an option; ${fix}`;
    });
  }
  const value = issue.path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  );
  const got =
    value === undefined
      ? 'is missing'
      : `is ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`} that does not fit`;
  return [`${path || 'the options'} ${got}; it must be ${issue.message}`];
}

/** The option names at a path, where the schema is an object there. */
function knownKeys(schema: z.ZodMiniType, path: readonly PropertyKey[]): string[] {
  const at = path.reduce<unknown>((inner, key) => shapeOf(inner)?.[String(key)], schema);
  return Object.keys(shapeOf(at) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const def = (schema as { def?: { shape?: Record<string, unknown>; innerType?: unknown } } | undefined)?.def;
  return def?.shape ?? (def?.innerType ? shapeOf(def.innerType) : undefined);
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
