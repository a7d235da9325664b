import type { GraphQLResolveInfo } from 'graphql';
import type { Query, Statement, TextRow } from '../database.js';
import { fromPostgres, type Path } from '../failure.js';
import type { Session } from '../session.js';

/** What the fields of one request work with. */
export interface Context {
  readonly session: Session;
  readonly query: Query;
  readonly stringifyNumeric: boolean;
  /** Where a stream is; `value` is undefined until its first row. It moves with each batch. */
  readonly cursor?: { value: string | null | undefined };
}

export const pathOf = (info: GraphQLResolveInfo): Path => `$.selectionSet.${info.path.key}`;

/** Throws `HasuraError` for what Postgres refuses. */
export async function run({ query }: Context, statement: Statement, path: Path): Promise<readonly TextRow[]> {
  try {
    return await query(statement);
  } catch (cause) {
    throw fromPostgres(cause, path);
  }
}
