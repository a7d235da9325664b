import { deepEqual } from '../../base/json.js';

/** A condition that did not hold. Any test runner shows its message. */
export function fail(message: string): never {
  throw new Error(message);
}

export function check(condition: boolean, message: string): void {
  if (!condition) fail(message);
}

const show = (value: unknown): string => JSON.stringify(value, null, 1) ?? String(value);

export function equal(actual: unknown, expected: unknown, what: string): void {
  if (!deepEqual(actual, expected)) fail(`${what}\n  expected: ${show(expected)}\n  but got:  ${show(actual)}`);
}

/** Between two looks, ms. */
const LOOK = 5;

/** Looks until it is so. With the deadline past, fails with what was waited for and `state()`. */
export async function until(
  what: string,
  test: () => boolean | Promise<boolean>,
  { deadline, state = () => undefined }: { readonly deadline: number; readonly state?: () => unknown },
): Promise<void> {
  while (!(await test())) {
    if (Date.now() > deadline) {
      const seen = state();
      fail(`Never came true: ${what}.${seen === undefined ? '' : `\n${show(seen)}`}`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** Which ids are missing, too many or different, in words; undefined if none. */
export function difference(
  actual: ReadonlyMap<string, unknown>,
  expected: ReadonlyMap<string, unknown>,
): string | undefined {
  const missing = [...expected.keys()].filter((id) => !actual.has(id));
  const extra = [...actual.keys()].filter((id) => !expected.has(id));
  const changed = [...expected].filter(([id, row]) => actual.has(id) && !deepEqual(actual.get(id), row));
  if (missing.length + extra.length + changed.length === 0) return undefined;
  const some = (ids: readonly string[]): string =>
    `${ids
      .slice(0, 5)
      .map((id) => JSON.stringify(id))
      .join(', ')}${ids.length > 5 ? ` and ${ids.length - 5} more` : ''}`;
  return [
    missing.length > 0 && `missing ${some(missing)}`,
    extra.length > 0 && `not in the backend ${some(extra)}`,
    ...changed
      .slice(0, 3)
      .map(([id, row]) => `${JSON.stringify(id)} is ${show(actual.get(id))} instead of ${show(row)}`),
  ]
    .filter(Boolean)
    .join('; ');
}
