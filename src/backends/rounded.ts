import type { OutgoingChange } from '../kit.js';
import { fieldsOf } from './push-fields.js';

/** Whether a value holds, however deep, a whole number that JSON has rounded perhaps: beyond 2 ** 53 not each has a double of its own. */
export function holdsRounded(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsRounded);
}

const within = (value: unknown): boolean => typeof value === 'object' && holdsRounded(value);

/**
 * The first field in which a change would write back a number inside a list or an object that was rounded when it was read.
 * `isMeant`: such numbers are meant as they are.
 */
export const roundedField = (change: OutgoingChange, isMeant: (field: string) => boolean): string | undefined =>
  Object.entries(fieldsOf(change)).find(
    ([field, value]) => within(value) && within(change.base?.[field]) && !isMeant(field),
  )?.[0];
