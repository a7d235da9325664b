import type { MarkColumns } from '../marks.js';
import { ident, nameOf, shortName } from './postgres-sql.js';

/** So many writes are known again: an id is 36 characters, and a space. */
const LENGTH = 10 * 37 - 1;

const history = (column: string): string => `  if tg_op = 'UPDATE' and new.${column} is distinct from old.${column} then
    new.${column} = left(concat_ws(' ', new.${column}, old.${column}), ${LENGTH});
  end if;`;

const edited = (
  column: string,
): string => `  if new.${column} is null or (tg_op = 'UPDATE' and new.${column} is not distinct from old.${column}) then
    new.${column} = clock_timestamp();
  end if;
  new.${column} = least(new.${column}, clock_timestamp());`;

/**
 * The columns in which writes leave a note, and a trigger that keeps them right whoever writes: the last ten ids stay, and a writer
 * that does not say when its edit was made makes it now. Undefined: the configuration names none.
 */
export function marksSql(
  place: Partial<MarkColumns> & { readonly schema?: string; readonly table: string },
): string | undefined {
  const { schema = 'public', table, opId, editedAt } = place;
  const name = nameOf({ schema, table });
  const columns = [
    ...(opId === undefined ? [] : [{ column: ident(opId), type: 'text', rule: history(ident(opId)) }]),
    ...(editedAt === undefined
      ? []
      : [{ column: ident(editedAt), type: 'timestamptz', rule: edited(ident(editedAt)) }]),
  ];
  if (columns.length === 0) return undefined;
  const fn = `${ident(schema)}.${ident(shortName(`synclayer_note_${table}`))}`;
  return `${columns.map(({ column, type }) => `alter table ${name} add column if not exists ${column} ${type};`).join('\n')}
create or replace function ${fn}() returns trigger language plpgsql set search_path = '' as $$
begin
${columns.map(({ rule }) => rule).join('\n')}
  return new;
end $$;
drop trigger if exists zz_synclayer_note on ${name};
create trigger zz_synclayer_note before insert or update on ${name} for each row execute function ${fn}();`;
}

/** What to say above it. */
export const MARKS_WHY =
  'What writes note of themselves: their ids, to know a repeated one again, and when the edit was made.';
