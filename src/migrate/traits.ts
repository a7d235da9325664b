import type { TransportValues } from '../transport/transport.js';
import type { CollectionPlan, Finding, ValueKind } from './types.js';

/** One side of a move, as far as values go. */
export interface ValueEnd {
  /** How findings name it. */
  readonly name: string;
  readonly values: TransportValues;
}

/** What is known beforehand of fields that will not stay as they are. Without writing anything. */
export function expectedFindings(plan: CollectionPlan, source: ValueEnd, target: ValueEnd): Finding[] {
  const { collection } = plan;
  const { name: to } = target;
  const { fields: layout, nestedLists = true, anyShape = true, maxInteger, tags = [] } = target.values;
  const columns = layout === 'columns';
  const keepsTags = source.values.tags?.every((tag) => tags.includes(tag)) ?? true;
  const findings: Finding[] = [];
  for (const [field, kinds] of Object.entries(plan.fields)) {
    const has = (kind: ValueKind): boolean => (kinds[kind] ?? 0) > 0;
    const tell = (level: Finding['level'], text: string): void =>
      void findings.push({ collection, field, level, text, seen: false });
    if (columns && has('missing'))
      tell('equal', `${kinds.missing} rows lack it; ${to} gives null for these. They are compared as equal.`);
    if (!nestedLists && has('list in a list'))
      tell('blocks', `${kinds['list in a list']} rows have a list in a list, which ${to} refuses.`);
    if (has('large integer'))
      tell(
        'lossy',
        `${kinds['large integer']} rows have whole numbers that JSON rounds; read them as text at the source.`,
      );
    if (has('tagged') && !keepsTags)
      tell(
        'note',
        `Values that only ${source.name} has are kept as objects with a type; a column for them must be json or jsonb.`,
      );
    if (source.values.fields === 'columns' && (has('object') || has('list')))
      tell('note', 'Inside json, 1.50 is read as 1.5; and a json null is read as NULL.');
    if (!anyShape && (has('object') || has('list') || has('list in a list')))
      tell('note', `${to} takes objects and lists only in a field whose type says what is inside.`);
    if (maxInteger !== undefined && maxInteger < Number.MAX_SAFE_INTEGER && has('integer'))
      tell(
        'note',
        `Whole numbers above ${maxInteger} need a field of a type that holds more than an integer, such as Float.`,
      );
    if (columns && has('time'))
      tell(
        'note',
        'Times in a column of times are written another way, of the same instant; a text column keeps them.',
      );
    if (columns && has('numeric text'))
      tell(
        'note',
        'Numbers as text stay exact in a text column, or in one that the configuration names as bigint or numeric.',
      );
  }
  return findings;
}
