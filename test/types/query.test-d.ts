import { describe, expectTypeOf, test } from 'vitest';
import type { Row } from '../../src/base/change.js';
import type { Operand, Path, PathValue } from '../../src/query/path.js';
import { createQuery, type Query } from '../../src/query/query.js';
import type { Operator, RowSource } from '../../src/query/types.js';

interface Todo {
  id: string;
  text: string;
  done: boolean;
  priority?: number;
  due: string | null;
  status: 'open' | 'closed';
  tags: string[];
  address?: { city: string; geo: { lat: number; lon: number } };
  steps: { title: string; minutes: number }[];
  extra: Record<string, unknown>;
  anything: unknown;
  'dotted.name': number;
}

interface Tree {
  id: string;
  value: number;
  left?: Tree;
  right?: Tree;
}

declare const source: RowSource;
const todos = createQuery<Todo>(source);

describe('paths', () => {
  test('fields, nested fields, array indexes and fields of unknown shape', () => {
    expectTypeOf<'text'>().toExtend<Path<Todo>>();
    expectTypeOf<'address.city'>().toExtend<Path<Todo>>();
    expectTypeOf<'address.geo.lat'>().toExtend<Path<Todo>>();
    expectTypeOf<'tags.0'>().toExtend<Path<Todo>>();
    expectTypeOf<'steps.2.minutes'>().toExtend<Path<Todo>>();
    expectTypeOf<'extra.what.ever'>().toExtend<Path<Todo>>();
    expectTypeOf<'anything.at.all'>().toExtend<Path<Todo>>();
    expectTypeOf<'dotted.name'>().toExtend<Path<Todo>>();
    expectTypeOf<'txt'>().not.toExtend<Path<Todo>>();
    expectTypeOf<'address.town'>().not.toExtend<Path<Todo>>();
    expectTypeOf<'text.length'>().not.toExtend<Path<Todo>>();
    expectTypeOf<'tags.first'>().not.toExtend<Path<Todo>>();
  });

  test('a flat row has exactly its fields', () => {
    expectTypeOf<Path<{ id: string; text?: string }>>().toEqualTypeOf<'id' | 'text'>();
  });

  test('any string for rows of unknown fields', () => {
    expectTypeOf<Path<Row>>().toEqualTypeOf<string>();
    expectTypeOf<Path<Record<string, number>>>().toEqualTypeOf<string>();
  });

  test('a recursive type ends, and its deep paths are still taken', () => {
    expectTypeOf<'left.right.left.value'>().toExtend<Path<Tree>>();
    expectTypeOf<'left.right.left.right.left.value'>().toExtend<Path<Tree>>();
    expectTypeOf<PathValue<Tree, 'left.right.left.right.left.value'>>().toEqualTypeOf<number>();
    expectTypeOf<'left.middle'>().not.toExtend<Path<Tree>>();
  });

  test('the value at a path', () => {
    expectTypeOf<PathValue<Todo, 'text'>>().toEqualTypeOf<string>();
    expectTypeOf<PathValue<Todo, 'address.geo.lat'>>().toEqualTypeOf<number>();
    expectTypeOf<PathValue<Todo, 'tags.0'>>().toEqualTypeOf<string>();
    expectTypeOf<PathValue<Todo, 'steps.0.minutes'>>().toEqualTypeOf<number>();
    expectTypeOf<PathValue<Todo, 'extra.what'>>().toEqualTypeOf<unknown>();
    expectTypeOf<PathValue<Todo, 'anything.deep'>>().toEqualTypeOf<unknown>();
    expectTypeOf<PathValue<Todo, 'dotted.name'>>().toEqualTypeOf<number>();
    expectTypeOf<PathValue<Row, 'a.b'>>().toEqualTypeOf<unknown>();
  });
});

describe('operands', () => {
  test('depend on the field and the operator', () => {
    expectTypeOf<Operand<string | null, '=='>>().toEqualTypeOf<string | null>();
    expectTypeOf<Operand<number | undefined, '!='>>().toEqualTypeOf<number | null>();
    expectTypeOf<Operand<'open' | 'closed', 'in'>>().toEqualTypeOf<readonly ('open' | 'closed' | null)[]>();
    expectTypeOf<Operand<string[], 'arrayContains'>>().toEqualTypeOf<string>();
    expectTypeOf<Operand<readonly string[] | null, 'arrayContainsAny'>>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<Operand<string | undefined, 'contains'>>().toEqualTypeOf<string>();
    expectTypeOf<Operand<number | null, '>'>>().toEqualTypeOf<number>();
    expectTypeOf<Operand<number, 'startsWith'>>().toEqualTypeOf<never>();
    expectTypeOf<Operand<string, 'arrayContains'>>().toEqualTypeOf<never>();
    expectTypeOf<Operand<string, 'arrayContainsAny'>>().toEqualTypeOf<readonly never[]>();
    expectTypeOf<Operand<string[], '<'>>().toEqualTypeOf<never>();
    expectTypeOf<Operand<unknown, '=='>>().toEqualTypeOf<unknown>();
    expectTypeOf<Operand<unknown, 'in'>>().toEqualTypeOf<readonly unknown[]>();
    expectTypeOf<Operand<unknown, '<'>>().toEqualTypeOf<number | string | boolean>();
    expectTypeOf<Operand<unknown, 'arrayContains'>>().toEqualTypeOf<unknown>();
    expectTypeOf<Operand<unknown, 'contains'>>().toEqualTypeOf<string>();
    expectTypeOf<Operand<string, 'isNull'>>().toEqualTypeOf<boolean>();
  });
});

describe('where', () => {
  test('takes what fits', () => {
    expectTypeOf(todos.where('done', '==', false)).toEqualTypeOf<Query<Todo>>();
    todos.where('due', '==', null).where('due', '<', '2026-01-01').where('due', 'isNull').where('due', 'isNull', false);
    todos.where('priority', '>=', 2).where('priority', 'in', [1, 2]).where('priority', '!=', null);
    todos.where('status', 'in', ['open']).where('status', 'startsWith', 'op');
    todos.where('tags', 'arrayContains', 'home').where('tags', 'arrayContainsAny', ['a', 'b']).where('tags', '==', []);
    todos.where('address.city', 'contains', 'sl').where('address.geo.lat', '>', 59.9);
    todos.where('steps', 'arrayContains', { title: 'a', minutes: 1 }).where('steps.0.minutes', '<', 5);
    todos.where('extra.what', '==', { ever: [1] }).where('anything', 'in', [1, 'a', null]);
    const statuses: readonly ('open' | 'closed')[] = ['open'];
    todos.where('status', 'in', statuses);
  });

  test('refuses what does not', () => {
    // @ts-expect-error no such field
    todos.where('txt', '==', 'a');
    // @ts-expect-error no such nested field
    todos.where('address.town', '==', 'Oslo');
    // @ts-expect-error no such operator
    todos.where('text', '===', 'a');
    // @ts-expect-error wrong type
    todos.where('done', '==', 'yes');
    // @ts-expect-error not one of the values
    todos.where('status', '==', 'done');
    // @ts-expect-error a list is needed
    todos.where('status', 'in', 'open');
    // @ts-expect-error a list of the field's type is needed
    todos.where('priority', 'in', ['1']);
    // @ts-expect-error no text operators on numbers
    todos.where('priority', 'contains', '1');
    // @ts-expect-error the element's type is needed
    todos.where('tags', 'arrayContains', 1);
    // @ts-expect-error not an array
    todos.where('text', 'arrayContains', 'a');
    // @ts-expect-error nothing to compare a number with
    todos.where('address.geo.lat', '>', '59.9');
    // @ts-expect-error a value is needed
    todos.where('text', '==');
    // @ts-expect-error undefined is not a value
    todos.where('text', '==', undefined);
    // @ts-expect-error isNull takes a boolean
    todos.where('due', 'isNull', null);
  });

  test('plain rows take everything that the operator can use', () => {
    const rows = createQuery(source);
    expectTypeOf(rows).toEqualTypeOf<Query<Row>>();
    rows.where('any.path.0', '==', { a: 1 }).where('x', '>', 1).where('y', 'in', [1, 'a']).where('z', 'isNull');
    rows.where('x', 'arrayContains', 1).where('x', 'arrayContainsAny', ['a', 1]).where('x', 'startsWith', 'a');
    // @ts-expect-error a list is needed whatever the field is
    rows.where('y', 'in', 'a');
    // @ts-expect-error a string is needed whatever the field is
    rows.where('y', 'contains', 1);
  });

  test('an operator that is chosen at run time', () => {
    const operator = '==' as '==' | '!=';
    todos.where('text', operator, 'a');
    const chosen = '==' as Operator;
    createQuery(source).where('text', chosen, 'a');
  });
});

test('orderBy takes paths and directions', () => {
  todos.orderBy('text').orderBy('address.geo.lat', 'desc');
  // @ts-expect-error no such field
  todos.orderBy('txt');
  // @ts-expect-error no such direction
  todos.orderBy('text', 'down');
});

test('results have the type of the rows', () => {
  expectTypeOf(todos.get()).resolves.toEqualTypeOf<Todo[]>();
  expectTypeOf(todos.first()).resolves.toEqualTypeOf<Todo | undefined>();
  expectTypeOf(todos.count()).resolves.toEqualTypeOf<number>();
  expectTypeOf(todos.watch()).toExtend<AsyncIterable<Todo[]>>();
  const stop = todos.watch((rows, { loading }) => {
    expectTypeOf(rows).toEqualTypeOf<readonly Todo[]>();
    expectTypeOf(loading).toEqualTypeOf<boolean>();
  });
  expectTypeOf(stop).toEqualTypeOf<() => void>();
  todos.watch((rows) => {
    // @ts-expect-error a result may be kept, and is not for changing in place
    rows.push(rows[0]);
  });
});
