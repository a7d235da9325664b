import { type IncomingMessage, request } from 'node:http';
import { text as readText } from 'node:stream/consumers';

/** A value as Firestore's REST interface writes it: `{ stringValue: 'a' }`. */
export type Value = { readonly [kind: string]: unknown };

/** A document as REST gives it. */
export interface Document {
  /** `projects/P/databases/(default)/documents/todos/a`. */
  readonly name: string;
  readonly fields?: { readonly [field: string]: Value };
}

/** How `write` stamps a document. */
export interface Stamp {
  /** The field; null: none. Default `updatedAt`. */
  readonly field?: string | null;
  /** So many ms back (below 0: ahead), by the clock of this machine; 0: the server's own time of the commit. Default 0. */
  readonly age?: number;
}

/** A second hand on the data of one project, by REST: rules do not apply to it. */
export interface Hand {
  /** Writes a whole document. JSON values, and `Value`s under `raw`. */
  write(
    path: string,
    fields: Readonly<Record<string, unknown>>,
    stamp?: Stamp,
    raw?: Readonly<Record<string, Value>>,
  ): Promise<void>;
  /** Writes many in one commit, all with the server's time. */
  writeAll(documents: ReadonlyMap<string, Readonly<Record<string, unknown>>>): Promise<void>;
  /** Sets fields of a document that is there to the server's time, which also stamps it. */
  touch(path: string, fields: readonly string[]): Promise<void>;
  delete(path: string): Promise<void>;
  /** All documents of a collection. */
  list(collection: string): Promise<Document[]>;
  /** All documents of the project. */
  all(): Promise<Document[]>;
  restore(documents: readonly Document[]): Promise<void>;
  /** The security rules from now on. */
  rules(text: string): Promise<void>;
}

/** A JSON value as REST wants it. */
export function toValue(value: unknown): Value {
  if (value === null) return { nullValue: null };
  if (typeof value === 'boolean') return { booleanValue: value };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'number')
    return Number.isInteger(value) ? { integerValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(toValue) } };
  return { mapValue: { fields: toFields(value as Readonly<Record<string, unknown>>) } };
}

const toFields = (row: Readonly<Record<string, unknown>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(row).map(([field, value]) => [field, toValue(value)]));

/** Commits with more writes than this are refused. */
const MOST = 500;

const quoted = (field: string): string => `\`${field.replace(/[\\`]/g, '\\$&')}\``;

export function createHand(url: string, projectId: string): Hand {
  const root = `projects/${projectId}/databases/(default)/documents`;
  const named = (path: string): string => `${root}/${path}`;

  async function ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<unknown> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = {
        // The emulator's word for "all rights".
        authorization: 'Bearer owner',
        'content-type': 'application/json',
      };
      // No agent: a connection kept for later would look like one that a test left behind.
      request(`${url}/${path}`, { method, headers, agent: false }, resolve)
        .once('error', reject)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
    const text = await readText(response);
    const { statusCode = 0 } = response;
    // The emulator answers a commit with what failed at telling a listener that has just gone ("call already cancelled").
    if (statusCode === 499) return ask(method, path, body);
    if (statusCode >= 300) throw new Error(`${method} ${path} was answered with ${statusCode}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  const commit = (writes: readonly unknown[]): Promise<unknown> => ask('POST', `v1/${root}:commit`, { writes });

  async function restore(documents: readonly Document[]): Promise<void> {
    for (let from = 0; from < documents.length; from += MOST)
      await commit(documents.slice(from, from + MOST).map(({ name, fields = {} }) => ({ update: { name, fields } })));
  }

  /** Every document below the root, or of one collection. */
  async function query(from: object): Promise<Document[]> {
    const answers = (await ask('POST', `v1/${root}:runQuery`, { structuredQuery: { from: [from] } })) as {
      readonly document?: Document;
    }[];
    return answers.flatMap(({ document }) => document ?? []);
  }

  async function list(collection: string): Promise<Document[]> {
    const at = collection.lastIndexOf('/');
    const parent = at < 0 ? root : named(collection.slice(0, at));
    const structuredQuery = { from: [{ collectionId: collection.slice(at + 1) }] };
    const answers = (await ask('POST', `v1/${parent}:runQuery`, { structuredQuery })) as {
      readonly document?: Document;
    }[];
    return answers.flatMap(({ document }) => document ?? []);
  }

  const stamped = (
    path: string,
    fields: Readonly<Record<string, Value>>,
    { field = 'updatedAt', age = 0 }: Stamp = {},
  ): object => {
    const name = named(path);
    if (field === null) return { update: { name, fields } };
    if (age !== 0) {
      const timestampValue = new Date(Date.now() - age).toISOString();
      return { update: { name, fields: { ...fields, [field]: { timestampValue } } } };
    }
    return {
      update: { name, fields },
      updateTransforms: [{ fieldPath: quoted(field), setToServerValue: 'REQUEST_TIME' }],
    };
  };

  return {
    async write(path, fields, stamp, raw = {}) {
      await commit([stamped(path, { ...toFields(fields), ...raw }, stamp)]);
    },
    async writeAll(documents) {
      const writes = [...documents].map(([path, fields]) => stamped(path, toFields(fields)));
      for (let from = 0; from < writes.length; from += MOST) await commit(writes.slice(from, from + MOST));
    },
    async touch(path, fields) {
      const name = named(path);
      const updateTransforms = fields.map((field) => ({ fieldPath: quoted(field), setToServerValue: 'REQUEST_TIME' }));
      await commit([
        { update: { name }, updateMask: { fieldPaths: [] }, currentDocument: { exists: true }, updateTransforms },
      ]);
    },
    async delete(path) {
      await commit([{ delete: named(path) }]);
    },
    list,
    all: () => query({ allDescendants: true }),
    restore,
    async rules(content) {
      await ask('PUT', `emulator/v1/projects/${projectId}:securityRules`, {
        rules: { files: [{ name: 'firestore.rules', content }] },
      });
    },
  };
}
