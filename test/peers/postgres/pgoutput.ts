/** Reads the messages of PostgreSQL's own logical decoding plugin, `pgoutput`, protocol version 1. */

export interface Column {
  readonly name: string;
  /** The oid of its type. */
  readonly type: number;
  /** Part of the replica identity. */
  readonly key: boolean;
}

export interface Relation {
  readonly id: number;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly Column[];
}

/** Values as Postgres prints them. A column whose TOASTed value did not change is absent. */
export type Tuple = ReadonlyMap<string, string | null>;

interface Event {
  readonly relation: Relation;
  /** When its transaction was committed, in microseconds since 1970. */
  readonly committedAt: bigint;
}

export type RowEvent = Event &
  (
    | { readonly type: 'INSERT'; readonly row: Tuple }
    /** `old` holds the key, or the whole row where the replica identity is full. */
    | { readonly type: 'UPDATE'; readonly row: Tuple; readonly old: Tuple | undefined }
    | { readonly type: 'DELETE'; readonly old: Tuple }
  );

const POSTGRES_EPOCH = 946_684_800_000_000n;

function createReader(message: Buffer) {
  let at = 1;
  /** Where the next `length` bytes begin. */
  const skip = (length: number): number => {
    at += length;
    return at - length;
  };
  const reader = {
    byte: () => message.readUInt8(skip(1)),
    letter: () => String.fromCharCode(reader.byte()),
    int16: () => message.readInt16BE(skip(2)),
    uint32: () => message.readUInt32BE(skip(4)),
    int64: () => message.readBigInt64BE(skip(8)),
    text: (length: number) => message.toString('utf8', skip(length), at),
    cstring: () => {
      const text = reader.text(message.indexOf(0, at) - at);
      at += 1;
      return text;
    },
    more: () => at < message.length,
  };
  return reader;
}

type Reader = ReturnType<typeof createReader>;

function readRelation(reader: Reader): Relation {
  const id = reader.uint32();
  const schema = reader.cstring();
  const table = reader.cstring();
  reader.byte();
  const columns = Array.from({ length: reader.int16() }, () => {
    const key = reader.byte() === 1;
    const name = reader.cstring();
    const type = reader.uint32();
    reader.uint32();
    return { name, type, key };
  });
  return { id, schema, table, columns };
}

function readTuple(reader: Reader, relation: Relation, only: (column: Column) => boolean): Tuple {
  const tuple = new Map<string, string | null>();
  const count = reader.int16();
  for (let index = 0; index < count; index += 1) {
    const column = relation.columns[index];
    const kind = reader.letter();
    const value = kind === 't' ? reader.text(reader.uint32()) : null;
    if (column !== undefined && kind !== 'u' && only(column)) tuple.set(column.name, value);
  }
  return tuple;
}

const all = (): boolean => true;
/** A key tuple (`K`) has all the columns, those outside the key as NULL. */
const old = (reader: Reader, relation: Relation, kind: string): Tuple =>
  readTuple(reader, relation, kind === 'K' ? (column) => column.key : all);

/**
 * A decoder of one stream. It remembers the relations, which are announced once.
 *
 * @example
 * const decode = createDecoder();
 * const { rows } = await client.query(`select data from pg_logical_slot_get_binary_changes('slot', null, null,
 *   'proto_version', '1', 'publication_names', 'pub')`);
 * const events = rows.flatMap(({ data }) => decode(data) ?? []);
 */
export function createDecoder(): (message: Buffer) => RowEvent | undefined {
  const relations = new Map<number, Relation>();
  let committedAt = 0n;
  const relationOf = (reader: Reader): Relation => {
    const id = reader.uint32();
    const relation = relations.get(id);
    if (relation === undefined) throw new Error(`The relation ${id} was not announced.`);
    return relation;
  };
  return (message) => {
    const reader = createReader(message);
    switch (String.fromCharCode(message.readUInt8(0))) {
      case 'B':
        reader.int64();
        committedAt = reader.int64() + POSTGRES_EPOCH;
        return undefined;
      case 'R': {
        const relation = readRelation(reader);
        relations.set(relation.id, relation);
        return undefined;
      }
      case 'I': {
        const relation = relationOf(reader);
        reader.letter();
        return { type: 'INSERT', relation, committedAt, row: readTuple(reader, relation, all) };
      }
      case 'U': {
        const relation = relationOf(reader);
        const kind = reader.letter();
        const before = kind === 'N' ? undefined : old(reader, relation, kind);
        if (kind !== 'N') reader.letter();
        return { type: 'UPDATE', relation, committedAt, row: readTuple(reader, relation, all), old: before };
      }
      case 'D': {
        const relation = relationOf(reader);
        return { type: 'DELETE', relation, committedAt, old: old(reader, relation, reader.letter()) };
      }
      default:
        return undefined;
    }
  };
}
