/** Whether a value holds, however deep, a whole number that JSON has rounded perhaps: beyond 2 ** 53 not each has a double of its own. */
export function holdsRounded(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsRounded);
}
