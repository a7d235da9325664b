import type { OutgoingChange } from './kit.js';
import { fieldsOf } from './push-fields.js';
import { holdsRounded } from './rounded.js';

const within = (value: unknown): boolean => typeof value === 'object' && holdsRounded(value);

/**
 * The first field in which a change would write back a number inside a list or an object that was rounded when it was read.
 * `isMeant`: such numbers are meant as they are.
 */
export const roundedField = (change: OutgoingChange, isMeant: (field: string) => boolean): string | undefined =>
  Object.entries(fieldsOf(change)).find(
    ([field, value]) => within(value) && within(change.base?.[field]) && !isMeant(field),
  )?.[0];
