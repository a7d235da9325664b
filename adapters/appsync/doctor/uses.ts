import { operations, type Request, type Table } from '../table.js';

/** What one of the transport's documents asks of the schema. */
export interface Use {
  readonly kind: 'query' | 'mutation' | 'subscription';
  /** The root field. */
  readonly field: string;
  /** Its arguments with the types of what is passed; `undefined`: a value is written in the document. */
  readonly args: ReadonlyMap<string, string | undefined>;
}

/** The transport's documents have one root field, or the same one several times. */
const DOCUMENT = /^(query|mutation|subscription)(?:\(([^)]*)\))?\{(?:\w+:)?(\w+)(?:\(([^)]*)\))?/;

/** Read from the document itself, so that what is looked for is what will be sent. */
export function useOf({ query }: Pick<Request, 'query'>): Use {
  const [, kind, declared = '', field = '', passed = ''] = DOCUMENT.exec(query) ?? [];
  const types = new Map([...declared.matchAll(/(\$\w+):([^,]+)/g)].map(([, name, type]) => [name, type]));
  const args = [...passed.matchAll(/(\w+):(\$\w+|"(?:\\.|[^"\\])*"|[^,]+)/g)];
  return {
    kind: kind as Use['kind'],
    field,
    args: new Map(args.map(([, name = '', value]) => [name, types.get(value)])),
  };
}

/** Every document of a model, with all that it can have. */
export function usesOf(table: Table) {
  const [create, update, remove] = operations.map((operation) => table.mutation(operation, {}, {}));
  const subscriptions = operations.map((operation) => useOf(table.subscription(operation)));
  return {
    get: useOf(table.get(['id'])),
    page: useOf(table.page({ limit: 1, nextToken: '', from: 0 })),
    create: useOf(create as Request),
    update: useOf(update as Request),
    delete: useOf(remove as Request),
    subscriptions,
  };
}

export type Uses = ReturnType<typeof usesOf>;
