/** Who is signed in: a user's id; null: nobody; undefined: not known (a token that is no JWT, a transport that does not tell). */
export type User = string | null | undefined;

/**
 * What it means that the user is `next` now.
 * - `same`: nothing has changed, or nothing is known.
 * - `first`: until now it was not known.
 * - `away`: there was a session, and now there is none. Most often it is only late: what is read without it says nothing.
 * - `other`: another user, or the first one who signs in.
 */
export type UserChange = 'same' | 'first' | 'away' | 'other';

/** `hadToken`: a token was in use, of whichever user. `hasToken`: one is in use now. */
export function userChange(
  before: User,
  next: User,
  { hadToken = false, hasToken = false }: { readonly hadToken?: boolean; readonly hasToken?: boolean } = {},
): UserChange {
  if (next === before) return 'same';
  if (next === undefined) return before === null && hasToken ? 'other' : 'same';
  if (next === null && (before !== undefined || hadToken)) return 'away';
  return before === undefined ? 'first' : 'other';
}

/** Whether an edit of this author may be sent as `user`. An edit without an author was made before any user was known. */
export const isOwn = (author: User, user: User): boolean =>
  author === undefined || author === user || (author !== null && user === undefined);
