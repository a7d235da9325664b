import { isOwn, type User } from '../transport/identity.js';
import type { OutboxEntry } from './replica-state.js';

/** Another user is signed in. */
export interface UserSwitch {
  readonly before: User;
  readonly next: User;
  /** Edits of before anybody signed in become `next`'s. */
  readonly adopt: boolean;
}

/** An edit with its author, now that it is known who made it. */
export function authored(entry: OutboxEntry, { before, next, adopt }: UserSwitch): OutboxEntry {
  const made = entry.author === undefined ? before : entry.author;
  const author = made === null && adopt ? next : made;
  return author === entry.author || author === undefined ? entry : { ...entry, author };
}

/** Whether an edit is sent as this user, or held until its author is back. */
export const isSent = ({ author }: OutboxEntry, user: User): boolean => isOwn(author, user);

/** Whether the app may have an edit made again as this user, which was refused or is held: never in another one's name. */
export const mayTakeOver = ({ author }: OutboxEntry, user: User): boolean => author === null || isOwn(author, user);
