import * as z from 'zod/mini';
import { got, refusal, suggest } from './problems.js';

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
  throw refusal(
    where,
    result.error.issues.flatMap((issue) => describe(issue, schema, input)),
  );
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

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const def = (schema as { def?: { shape?: Record<string, unknown>; innerType?: unknown } } | undefined)?.def;
  return def?.shape ?? (def?.innerType ? shapeOf(def.innerType) : undefined);
}
