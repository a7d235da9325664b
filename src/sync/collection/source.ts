import type { Journal } from '../../store/journal.js';
import type { StoreWrite } from '../../store/store.js';
import type { User } from '../../transport/identity.js';
import { departure, type Loaded, type Origin, originWrite } from '../load.js';
import type { Replica } from './replica.js';

export interface SourceOptions {
  readonly name: string;
  readonly replica: Replica;
  readonly journal: Journal;
  /** Whose data is wanted. */
  readonly origin: Origin;
  readonly loaded: Pick<Loaded, 'fresh' | 'user'>;
  /** Edits of before anybody signed in become those of the first user. */
  readonly adopt: boolean;
  /** A reading that is under way says nothing any more. */
  readonly forget: () => void;
}

/** From which backend the rows of a collection are, and as whom they were read. */
export function createSource({ name, replica, journal, loaded, adopt, forget, ...options }: SourceOptions) {
  const { user } = loaded;
  let origin: Origin = user === undefined ? options.origin : { ...options.origin, user };
  let { fresh } = loaded;
  let isRead = replica.cursor !== null;
  const noteOrigin = (): void => journal.append([originWrite(name, origin)]);

  /** All is read again. */
  function startOver(): void {
    isRead = false;
    forget();
  }

  return {
    /** False until everything was read from this backend once. */
    ready: (): boolean => isRead,
    mayPush: (): boolean => isRead || !fresh,
    /** Who has read what is here, and made the edits that are not held. */
    user: (): User => origin.user,
    noteOrigin,

    /** Everything has been read. True: for the first time. */
    wasRead(): boolean {
      if (isRead) return false;
      isRead = true;
      noteOrigin();
      replica.readAgain();
      return true;
    },

    // An origin is noted only once all has been read from there.
    stored: (): StoreWrite[] =>
      isRead ? [originWrite(name, origin)] : departure(name, fresh ? '' : origin.source, origin.user),

    clear(): void {
      startOver();
      replica.reset();
    },

    switchUser(next: User): void {
      const before = origin.user;
      if (next === before) return;
      const { user: _, ...rest } = origin;
      origin = next === undefined ? rest : { ...rest, user: next };
      replica.switchUser({ before, next, adopt });
      if (before === undefined) {
        if (isRead) noteOrigin();
        return;
      }
      // The rows are those that another one may see.
      startOver();
      replica.rereadAll();
      journal.append(departure(name, origin.source, next));
    },

    leave(): void {
      const before = origin.user;
      if (before !== undefined) {
        origin = { ...origin, user: null };
        replica.switchUser({ before, next: null, adopt: false });
      }
      startOver();
      replica.rereadAll();
      replica.forgetRows();
      journal.append(departure(name, origin.source, origin.user));
    },

    moveTo(source: string): void {
      origin = { ...origin, source };
      fresh = true;
      startOver();
      replica.depart();
      journal.append(departure(name, '', origin.user));
    },
  };
}
