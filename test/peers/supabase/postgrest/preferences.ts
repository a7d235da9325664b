import { PostgrestError } from './errors.js';

/** What a request's `Prefer` header asks for. */
export interface Preferences {
  readonly returning: 'minimal' | 'representation';
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | undefined;
  readonly missingDefault: boolean;
  readonly count: boolean;
  readonly maxAffected: number | undefined;
  readonly rollback: boolean;
  /** The `Preference-Applied` header. */
  readonly applied: string;
}

const KNOWN: { readonly [name: string]: RegExp } = {
  resolution: /^(merge|ignore)-duplicates$/,
  missing: /^(default|null)$/,
  return: /^(minimal|representation|headers-only)$/,
  count: /^(exact|planned|estimated)$/,
  handling: /^(strict|lenient)$/,
  'max-affected': /^\d+$/,
  tx: /^(commit|rollback)$/,
};

export function parsePreferences(header: string | undefined): Preferences {
  const given = (header ?? '').split(',').flatMap((part) => {
    const text = part.trim();
    const [name = '', value = ''] = text.split('=', 2).map((each) => each.trim());
    return text === '' ? [] : [{ name, value, text }];
  });
  const known = new Map<string, string>();
  const unknown: string[] = [];
  for (const { name, value, text } of given)
    if (KNOWN[name]?.test(value) === true) known.set(name, value);
    else unknown.push(text);
  const strict = known.get('handling') === 'strict';
  if (strict && unknown.length > 0)
    throw new PostgrestError(400, 'PGRST122', 'Invalid preferences given with handling=strict', {
      details: `Invalid preferences: ${unknown.join(', ')}`,
    });
  const resolution = known.get('resolution');
  const applied = ['resolution', 'missing', 'return', 'count', ...(strict ? ['handling', 'max-affected'] : [])];
  return {
    returning: known.get('return') === 'representation' ? 'representation' : 'minimal',
    resolution: resolution === 'merge-duplicates' || resolution === 'ignore-duplicates' ? resolution : undefined,
    missingDefault: known.get('missing') === 'default',
    count: known.has('count'),
    maxAffected: strict && known.has('max-affected') ? Number(known.get('max-affected')) : undefined,
    rollback: known.get('tx') === 'rollback',
    applied: applied.flatMap((name) => (known.has(name) ? [`${name}=${known.get(name)}`] : [])).join(', '),
  };
}
