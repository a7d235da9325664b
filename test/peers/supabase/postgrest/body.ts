import { PostgrestError } from './errors.js';

/** The rows of a write. */
export interface Body {
  /** As it came: numbers keep all their digits. */
  readonly text: string;
  readonly columns: readonly string[];
  readonly empty: boolean;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Half of a surrogate pair is no text, and no JSON to PostgREST. */
function parse(text: string): unknown {
  let whole = true;
  try {
    const parsed: unknown = JSON.parse(text, (key, value: unknown) => {
      whole &&= key.isWellFormed() && (typeof value !== 'string' || value.isWellFormed());
      return value;
    });
    if (whole) return parsed;
  } catch {
    // Told below.
  }
  throw new PostgrestError(400, 'PGRST102', 'Empty or invalid json');
}

/** `columns`: those of the query string, which let rows have different keys. */
export function readBody(text: string, contentType: string | undefined, columns: readonly string[] | undefined): Body {
  if (contentType !== undefined && !/^application\/(vnd\.pgrst\.object\+)?json/.test(contentType))
    throw new PostgrestError(400, 'PGRST102', `Content-Type not acceptable: ${contentType.split(';')[0]}`);
  const parsed = parse(text);
  if (!Array.isArray(parsed) && !isObject(parsed)) return { text: '[]', columns: [], empty: true };
  const rows = (Array.isArray(parsed) ? parsed : [parsed]).filter(isObject);
  const [first] = rows;
  if (first === undefined) return { text: '[]', columns: [], empty: true };
  const keys = Object.keys(first);
  if (columns === undefined) {
    const shape = [...keys].sort().join('\0');
    if (rows.some((row) => Object.keys(row).sort().join('\0') !== shape))
      throw new PostgrestError(400, 'PGRST102', 'All object keys must match');
  }
  return { text, columns: columns ?? keys, empty: false };
}
