import type { CollectionPlan, Finding, ValueKind } from './types.js';

/** What kind of backend it is, as far as values go. */
interface Traits {
  /** A field that a row lacks is null when the row is read again: a column. */
  readonly columns: boolean;
  readonly nestedLists: boolean;
  /** Whether a value of a field has a type of its own that it is turned into: a timestamptz column writes a time its own way. */
  readonly typed: boolean;
  /** Values that it has and JSON has not come as tagged objects, and become the same again when they are written there. */
  readonly tags: boolean;
  /** Each field has a type of a schema that was written for it: none takes just any map, and whole numbers have 32 bits. */
  readonly schema: boolean;
  /** Rows that it takes at a time: what fails is sent again whole. */
  readonly rows: number;
}

const plain: Traits = { columns: false, nestedLists: true, typed: false, tags: false, schema: false, rows: 1000 };
const sql: Traits = { columns: true, nestedLists: true, typed: true, tags: false, schema: false, rows: 1000 };

const known: Readonly<Record<string, Traits>> = {
  supabase: sql,
  hasura: sql,
  appsync: { ...sql, schema: true },
  // A push is one transaction at a time, of 100 documents.
  firestore: { ...plain, nestedLists: false, tags: true, rows: 100 },
};

export const traitsOf = (transport: string): Traits => (Object.hasOwn(known, transport) && known[transport]) || plain;

/** What is known beforehand of fields that will not stay as they are. Without writing anything. */
export function expectedFindings(plan: CollectionPlan, from: string, to: string): Finding[] {
  const { collection } = plan;
  const [source, target] = [traitsOf(from), traitsOf(to)];
  const findings: Finding[] = [];
  for (const [field, kinds] of Object.entries(plan.fields)) {
    const has = (kind: ValueKind): boolean => (kinds[kind] ?? 0) > 0;
    const tell = (level: Finding['level'], text: string): void =>
      void findings.push({ collection, field, level, text, seen: false });
    if (target.columns && has('missing'))
      tell('equal', `${kinds.missing} rows lack it; ${to} gives null for these. They are compared as equal.`);
    if (!target.nestedLists && has('list in a list'))
      tell('blocks', `${kinds['list in a list']} rows have a list in a list, which ${to} refuses.`);
    if (has('large integer'))
      tell(
        'lossy',
        `${kinds['large integer']} rows have whole numbers that JSON rounds; read them as text at the source.`,
      );
    if (has('tagged') && !target.tags)
      tell(
        'note',
        `Values that only ${from} has are kept as objects with a type; a column for them must be json or jsonb.`,
      );
    if (source.columns && (has('object') || has('list')))
      tell('note', 'Inside json, 1.50 is read as 1.5; and a json null is read as NULL.');
    if (target.schema && (has('object') || has('list') || has('list in a list')))
      tell('note', `${to} takes maps and lists only in a field whose type says which, and AWSJSON as text.`);
    if (target.schema && has('integer'))
      tell('note', 'Int holds 32 bits: whole numbers above 2147483647 need a field of type Float.');
    if (target.typed && has('time'))
      tell(
        'note',
        'Times in a column of times are written another way, of the same instant; a text column keeps them.',
      );
    if (target.typed && has('numeric text'))
      tell(
        'note',
        'Numbers as text stay exact in a text column, or in one that the configuration names as bigint or numeric.',
      );
  }
  return findings;
}
