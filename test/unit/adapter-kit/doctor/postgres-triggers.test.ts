import { expect, test } from 'vitest';
import { sets, type Trigger, touchFault } from '../../../../src/adapter-kit/doctor/postgres-triggers.js';

const place = {
  collection: 'todos',
  schema: 'public',
  table: 'todos',
  id: 'id',
  updatedAt: 'updated_at',
  deletedAt: undefined,
};
const trigger = (name: string, body: string, more: Partial<Trigger> = {}): Trigger => ({
  name,
  body: `begin ${body} return new; end`,
  insert: true,
  update: true,
  narrow: false,
  function: 'f',
  args: '',
  ...more,
});
const ours = trigger('zz_synclayer_touch', 'new."updated_at" = clock_timestamp();');
const now = 'new.updated_at = now();';

test.each([
  ['new.updated_at := now();', true],
  ['NEW.updated_at = now();', true],
  ['new."updated_at" = now();', true],
  ['if new.text is distinct from old.text then new.updated_at = now(); end if;', true],
  ['select now() into new.updated_at;', true],
  ['if new.updated_at = old.updated_at then null; end if;', false],
  ['-- new.updated_at = now();\n', false],
  ['/* ; new.updated_at = now(); */', false],
  ['new.updated_at_text = now();', false],
  ['new.text = old.text;', false],
])('%s sets the column: %s', (body, expected) => {
  expect(sets(trigger('t', body), 'updated_at')).toBe(expected);
});

test('the extension moddatetime sets the column that its argument names', () => {
  const args = 'updated_at\\000';
  expect(sets(trigger('t', '', { function: 'moddatetime', args }), 'updated_at')).toBe(true);
  expect(sets(trigger('t', '', { function: 'moddatetime', args }), 'other')).toBe(false);
});

test('the last trigger to set the column decides, for inserts and for updates', () => {
  const late = (name: string, more: Partial<Trigger> = {}) => trigger(name, now, more);
  const isWell = (triggers: readonly Trigger[], hasDefault = false): boolean =>
    touchFault(place, triggers, hasDefault) === undefined;
  expect(isWell([ours])).toBe(true);
  expect(isWell([])).toBe(false);
  expect(isWell([], true)).toBe(false);
  expect(isWell([late('a'), ours])).toBe(true);
  expect(isWell([ours, late('zzz')])).toBe(false);
  expect(isWell([{ ...ours, name: 'synclayer_touch' }, late('update_todos_updated_at')])).toBe(false);
  expect(isWell([ours, late('zzz', { narrow: true })])).toBe(false);
  expect(isWell([{ ...ours, insert: false }], true)).toBe(true);
  expect(isWell([{ ...ours, insert: false }], false)).toBe(false);
  expect(isWell([{ ...ours, narrow: true }])).toBe(false);
  expect(isWell([trigger('mine', 'new.updated_at = clock_timestamp();')])).toBe(true);
});

test('what is in the way is named, and one that fires after ours is renamed', () => {
  const fix = touchFault(place, [trigger('update_todos_updated_at', now), ours, trigger('zzz', now)], true);
  expect(fix).toContain('-- In the way: "update_todos_updated_at", "zzz"');
  expect(fix).toContain('alter trigger "zzz" on "public"."todos" rename to "a_zzz";');
  expect(fix).not.toContain('alter trigger "update_todos_updated_at"');
  expect(fix).toContain('create trigger zz_synclayer_touch');
});
