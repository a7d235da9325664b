import type { Row } from '../base/change.js';
import { deepEqual } from '../base/json.js';
import { capabilitiesOf } from '../transport/capabilities.js';
import { sameValue, valuesOf } from '../transport/values.js';
import { differingFields } from './canonical.js';
import type { Endpoint } from './endpoint.js';
import { createProfile, type Examples, kindOf } from './profile.js';
import type { State } from './state.js';
import { expectedFindings } from './traits.js';
import type { CollectionPlan, Finding } from './types.js';
import type { Direction } from './wanted.js';

/** Looks at both sides of a collection. Writes nothing. */
export async function examine(
  collection: string,
  { from, to }: { readonly from: Endpoint; readonly to: Endpoint },
  pageSize: number,
): Promise<{ readonly plan: CollectionPlan; readonly findings: Finding[]; readonly examples: Examples }> {
  const values = { from: valuesOf(from.transport, collection), to: valuesOf(to.transport, collection) };
  const profile = createProfile(values.from.tags);
  let there = 0;
  await Promise.all([
    (async () => {
      for await (const { changes } of from.pages(collection, null, pageSize))
        for (const change of changes) if (change.type !== 'delete') profile.add(change);
    })(),
    (async () => {
      for await (const { changes } of to.pages(collection, null, pageSize))
        for (const { type } of changes) if (type !== 'delete') there += 1;
    })(),
  ]);
  const plan: CollectionPlan = {
    collection,
    rows: { from: profile.rows, to: there },
    fields: profile.kinds(),
    bytes: profile.bytes,
  };
  const findings = expectedFindings(
    plan,
    { name: from.name, values: values.from },
    { name: to.name, values: values.to },
  );
  if (!capabilitiesOf(to.transport, collection).push)
    findings.push({ collection, field: '', level: 'blocks', text: `${to.name} is read-only.`, seen: false });
  if (there > 0)
    findings.push({
      collection,
      field: '',
      level: 'note',
      text: `The target has ${there} rows already. Equal ones are left alone, others of the same id are overwritten.`,
      seen: false,
    });
  return { plan, findings, examples: profile.examples };
}

const short = (value: unknown): string => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
};

/** What became of a field, by a row that was written and what the target made of it. */
function fateOf(field: string, sent: Row, stored: Row): Omit<Finding, 'collection' | 'field' | 'seen'> | undefined {
  const [before, after] = [sent[field], stored[field]];
  if (deepEqual(before, after) && Object.hasOwn(sent, field) === Object.hasOwn(stored, field)) return undefined;
  if ((before ?? null) === null && (after ?? null) === null)
    return { level: 'equal', text: `${kindOf(before)} becomes ${kindOf(after)}.` };
  const text = `${short(before)} becomes ${short(after)}`;
  if (sameValue(before, after)) return { level: 'equal', text: `${text}, which means the same.` };
  return { level: 'lossy', text: `${text}.` };
}

/** What became of the rows that were written on trial, one finding for each field and kind of value. */
export function trialFindings(
  collection: string,
  examples: Examples,
  { source, target }: Direction,
  state: State,
): Finding[] {
  const findings = new Map<string, Finding>();
  for (const [recordId, { data: sent }] of examples) {
    const pair = state.pair(collection, recordId);
    const stored = pair[target]?.row;
    const current = pair[source]?.row;
    // Changed meanwhile, or refused: that is told elsewhere.
    if (!stored || !current || differingFields(sent, current, { nullIsMissing: false, ignored: new Set() }).length > 0)
      continue;
    for (const field of new Set([...Object.keys(sent), ...Object.keys(stored)])) {
      const fate = fateOf(field, sent, stored);
      const key = `${field} ${fate?.level} ${kindOf(sent[field])}`;
      if (fate && !findings.has(key)) findings.set(key, { collection, field, seen: true, ...fate });
    }
  }
  return [...findings.values()];
}
