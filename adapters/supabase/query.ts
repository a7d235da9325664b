/** Names that PostgREST takes for something else in a query string. */
const RESERVED = /^(and|or|not|select|order|limit|offset|columns|on_conflict)$/;

/** A column's name in a query string. Names with `"` cannot be written at all; the options refuse them. */
export const nameOf = (column: string): string =>
  /^[a-z_][a-z\d_]*$/i.test(column) && !RESERVED.test(column) ? column : `"${column}"`;

/**
 * A value inside `or=(...)` or `in.(...)`: unquoted, a `)` cuts the condition off, and the rest is ignored with status
 * 200. A value of its own (`id=eq.x`) is raw and must not be quoted.
 */
export const quote = (value: string): string => `"${value.replace(/[\\"]/g, '\\$&')}"`;

/** `in`'s value. */
export const listOf = (ids: readonly string[]): string => `(${ids.map(quote).join(',')})`;

/** `or`'s value for all rows behind (at, id), in the order of these two columns. */
export const behind = (
  columns: { readonly updatedAt: string; readonly id: string },
  at: string,
  id: string,
): string => {
  const [time, key] = [nameOf(columns.updatedAt), nameOf(columns.id)];
  return `${time}.gt.${quote(at)},and(${time}.eq.${quote(at)},${key}.gt.${quote(id)})`;
};

/** `or`'s value for these rows, each only while it is as it was: a compare-and-set of many in one request. */
export const unchanged = (
  columns: { readonly updatedAt: string; readonly id: string },
  rows: readonly { readonly id: string; readonly at: string }[],
): string => {
  const [time, key] = [nameOf(columns.updatedAt), nameOf(columns.id)];
  return rows.map(({ id, at }) => `and(${key}.eq.${quote(id)},${time}.eq.${quote(at)})`).join(',');
};

/** Most characters of one condition: Node takes no URL above 16 000, and proxies in between may take less. */
const MAX_CONDITION = 6000;
/** What surrounds an id in a condition, at most. */
const OVERHEAD = 120;

/** Splits rows so that the condition that names them fits into a URL. */
export function inUrls<T>(rows: readonly T[], idOf: (row: T) => string): T[][] {
  const parts: T[][] = [];
  let room = 0;
  for (const row of rows) {
    const length = encodeURIComponent(quote(idOf(row))).length + OVERHEAD;
    if (length > room) {
      parts.push([]);
      room = MAX_CONDITION;
    }
    room -= length;
    parts.at(-1)?.push(row);
  }
  return parts;
}

/** A filter in Realtime's own form, `column=operator.value`, taken apart for PostgREST, which writes it alike. */
export function conditionOf(filter: string): { column: string; operator: string; value: string } | undefined {
  const [, column, operator, value] = /^([^=]+)=((?:not\.)?[a-z]+)\.(.*)$/s.exec(filter) ?? [];
  return column && operator && value !== undefined ? { column, operator, value } : undefined;
}
