import {
  checkOptions,
  isObject,
  LONGEST_TIMER,
  type OptionRules,
  problemsOf,
  withDefaults,
} from '../../src/adapter-kit/kit.js';
import type { FieldType } from './normalize.js';

/** Makes the errors of this adapter. */
export const problem = problemsOf('firestore');

/** Documents in one transaction. The server takes 500 writes, but each is read first and after. */
export const TRANSACTION_SIZE = 100;

/** One condition of a collection: `['owner', '==', uid]`. Dots reach into maps; values as they are in rows. */
export type FirestoreCondition = readonly [
  field: string,
  operator: '==' | 'in' | 'array-contains' | 'array-contains-any',
  value: unknown,
];

/** How a collection lies in Firestore. */
export interface FirestoreCollection {
  /** The collection's path: `todos`, `users/u1/todos`. Default: the collection's name. */
  readonly table?: string;
  /**
   * All collections whose id is `table`, wherever they lie: a collection group. A record's id is then its document's path,
   * `posts/p1/comments/c1`. Default false.
   */
  readonly group?: boolean;
  /** The field that every writer sets to `serverTimestamp()` at every write. Default `updatedAt`. */
  readonly updatedAt?: string;
  /** A timestamp field: set, the document counts as deleted. Left out: documents are deleted for good. */
  readonly deletedAt?: string;
  /**
   * A field for the ids of the last ten writes. With it a write whose answer was lost is known again whatever became of the document
   * since, so that `sumNumbers` is right: `opId`.
   */
  readonly opId?: string;
  /**
   * A timestamp field for when an edit was made, which every writer sets. Last write wins compares it; left out, it compares when the
   * other edit was committed: `editedAt`.
   */
  readonly editedAt?: string;
  /** Only documents for which all of these hold. */
  readonly where?: readonly FirestoreCondition[];
  /** Fields that are plain in the row instead of a tagged object: `{ dueAt: 'timestamp' }` is an ISO text. */
  readonly fields?: { readonly [field: string]: FieldType };
}

/** What this transport uses of a `Firestore` that the app made. */
export interface FirestoreLike {
  readonly type: string;
  readonly app: object;
}

/** What this transport uses of a `FirebaseApp` that the app made. */
export interface FirebaseAppLike {
  readonly name: string;
  readonly options: object;
}

/** What `firestoreTransport` takes: one of `config`, `app` and `firestore`. Times in ms. */
export interface FirestoreTransportOptions {
  /** The project's configuration, as the Firebase console shows it. `projectId` is enough for the emulator. */
  readonly config?: { readonly projectId: string; readonly [key: string]: unknown };
  /** An app of the user's own, with its sign-in. The transport makes a Firestore of it, and makes it anew after a loss. */
  readonly app?: FirebaseAppLike;
  /** A Firestore of the app's own: its cache and other listeners are left alone, and it is never terminated. */
  readonly firestore?: FirestoreLike;
  /** `127.0.0.1:8080`: the emulator, instead of Google. Not together with `firestore`. */
  readonly emulator?: string;
  /** Left out, a collection is the one of its name. */
  readonly collections?: { readonly [collection: string]: FirestoreCollection };
  /** How far a pull steps back for commits that are stamped earlier than one before them. Default 10 000. */
  readonly overlap?: number;
  /** How long one read or write may take. Default 15 000. */
  readonly requestTimeout?: number;
  /**
   * How often a silent server is asked whether it is there: one document read each, 1 440 a day by default. Silence for as long again
   * ends the link, so a shorter time notices a dead one sooner. Default 60 000.
   */
  readonly heartbeatInterval?: number;
}

const defaults = {
  collections: {},
  overlap: 10_000,
  requestTimeout: 15_000,
  heartbeatInterval: 60_000,
} as const satisfies FirestoreTransportOptions;

/** The options with their defaults. */
export type ParsedOptions = FirestoreTransportOptions &
  Required<Pick<FirestoreTransportOptions, keyof typeof defaults>>;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

const types: readonly unknown[] = [
  'timestamp',
  'geoPoint',
  'bytes',
  'reference',
  'vector',
] satisfies readonly FieldType[];
const operators: readonly unknown[] = ['==', 'in', 'array-contains', 'array-contains-any'];

const isCondition = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 3 && isText(value[0]) && operators.includes(value[1]);

/** An odd number of parts: an even one is a document. */
const isPath = (value: unknown): boolean =>
  isText(value) && value.split('/').length % 2 === 1 && value.split('/').every((part) => part !== '');

const isId = (value: unknown): boolean => isPath(value) && !String(value).includes('/');

const field: OptionRules[string] = ['the name of a field', isText];
const positive: OptionRules[string] = [
  `a number above 0, up to ${LONGEST_TIMER}`,
  (value) => Number(value) > 0 && Number(value) <= LONGEST_TIMER,
];

export const collectionRules = {
  table: ['the path of a collection such as "todos" or "users/u1/todos"', isPath],
  group: ['true or false; with true, "table" is one id such as "comments"', (value) => typeof value === 'boolean'],
  updatedAt: field,
  deletedAt: field,
  opId: field,
  editedAt: field,
  where: [
    `conditions such as [["owner", "==", "u1"]], with ${operators.join(', ')}`,
    (value) => Array.isArray(value) && value.every(isCondition),
  ],
  fields: [
    `an object of ${types.join(', ')}, by field`,
    (value) => isObject(value) && Object.values(value).every((type) => types.includes(type)),
  ],
} satisfies OptionRules;

export const rules = {
  config: ['the Firebase configuration, with projectId', (value) => isObject(value) && isText(value.projectId)],
  app: ['an app made by initializeApp of firebase/app', (value) => isObject(value) && isObject(value.options)],
  firestore: [
    'a Firestore made by getFirestore of firebase/firestore (not of firebase/firestore/lite, which has no listeners)',
    (value) => isObject(value) && value.type === 'firestore' && isObject(value.app),
  ],
  emulator: ['a host and a port such as "127.0.0.1:8080"', (value) => isText(value) && /^[^/\s]+:\d+$/.test(value)],
  collections: ['an object, by collection', isObject],
  overlap: positive,
  requestTimeout: positive,
  heartbeatInterval: positive,
} satisfies OptionRules;

const sources = ['config', 'app', 'firestore'] as const;

/** The options, checked. Throws CONFIG_INVALID. */
export function readOptions(input: FirestoreTransportOptions): ParsedOptions {
  const given = Object(input) as FirestoreTransportOptions;
  const [chosen, ...more] = sources.filter((key) => given[key] !== undefined);
  const out = (key: string): OptionRules => ({ [key]: [`left out: ${chosen} is given`, () => false] });
  const alone = Object.assign({}, ...more.map(out), chosen === 'firestore' ? out('emulator') : {}) as OptionRules;
  checkOptions({ ...rules, ...alone }, input, 'firestoreTransport', chosen === undefined ? ['config'] : []);
  for (const [name, options] of Object.entries(given.collections ?? {})) {
    const lone = options?.group === true && { table: ['one id such as "comments", with group', isId] as const };
    const renamed = { path: 'table', types: 'fields' };
    checkOptions({ ...collectionRules, ...lone }, options, `firestoreTransport, collections.${name},`, [], renamed);
  }
  return withDefaults(defaults, input);
}
