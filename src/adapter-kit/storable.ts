import type { Row } from './kit.js';

type TextRule = (text: string) => boolean;

function isStorable(value: unknown, isText: TextRule): boolean {
  if (typeof value === 'string') return isText(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isText(key) && isStorable(inner, isText));
}

/** The first of these fields that holds a text, however deep, that the backend cannot store. */
export const unstorableField = (fields: Row, isText: TextRule): string | undefined =>
  Object.keys(fields).find((field) => !isText(field) || !isStorable(fields[field], isText));
