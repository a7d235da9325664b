import { describe, expect, test } from 'vitest';
import { graphqlError, httpError, socketError } from '../../../adapters/hasura/errors.js';
import { refusalOf } from '../../../src/adapter-kit/refusal.js';

const errors = (code: string, message = 'words of the server') => [{ message, extensions: { path: '$', code } }];

describe('errors of GraphQL', () => {
  test.each([
    ['invalid-jwt', 'Could not verify JWT: JWTExpired'],
    ['access-denied', 'invalid x-hasura-admin-secret/x-hasura-access-key'],
    ['invalid-headers', "Missing 'Authorization' or 'Cookie' header in JWT authentication mode"],
    ['jwt-missing-role-claims', 'JWT claim does not contain x-hasura-allowed-roles'],
  ])('%s is about the token, when reading and when writing', (code, message) => {
    for (const kind of ['read', 'write'] as const)
      expect(graphqlError('It', kind, errors(code, message))).toMatchObject({ code: 'AUTH_REQUIRED' });
  });

  test.each([
    ['validation-failed', "field 'todos' not found in type: 'query_root'"],
    ['permission-error', 'Check constraint violation. new row violates'],
    ['constraint-violation', 'Not-NULL violation. null value in column "text"'],
    ['data-exception', 'invalid input syntax for type uuid: "x"'],
    ['parse-failed', 'not a valid graphql query'],
  ])('%s is for good', (code, message) => {
    expect(graphqlError('It', 'write', errors(code, message)).code).toBe('PUSH_REJECTED');
    expect(graphqlError('It', 'read', errors(code, message)).code).toBe('SUBSCRIBE_REJECTED');
  });

  test.each([
    ['postgres-error', 'connection error'],
    ['postgres-max-connections-error', 'max connections reached on postgres'],
    ['rate-limit-exceeded', 'The rate limit is exceeded'],
    ['some-new-code', 'words'],
  ])('%s is about the backend, and about no edit: %s', (code, message) => {
    const error = graphqlError('It', 'write', errors(code, message));
    expect(error).toMatchObject({ code: 'CONNECTION_LOST', details: { code, message } });
    expect(error.details.unclear).toBeUndefined();
    expect(refusalOf(error)).toBeUndefined();
  });

  test.each([
    ['Foreign key violation. insert or update on table "todos" violates', 'waiting', 'WAITING'],
    ['Uniqueness violation. duplicate key value violates unique constraint "todos_pkey"', 'retry', 'CONFLICT'],
  ])('an edit may go well later: %s', (message, type, code) => {
    const error = graphqlError('It', 'write', errors('constraint-violation', message));
    expect(refusalOf(error)).toMatchObject({ type, error: { code } });
  });

  test('"unexpected" is a timeout, or a trigger that raised an exception: nobody knows', () => {
    const error = graphqlError('It', 'write', errors('unexpected', 'database query error'));
    expect(error).toMatchObject({ code: 'CONNECTION_LOST', details: { unclear: true } });
    expect(refusalOf(error)).toBeUndefined();
  });

  test.each([
    ['57014', undefined],
    ['40P01', undefined],
    ['P0001', 'rejected'],
  ])('where Hasura shows what PostgreSQL said, %s is %s', (sqlState, type) => {
    const internal = { error: { status_code: sqlState, message: 'canceling statement' } };
    const told = [{ message: 'database query error', extensions: { path: '$', code: 'unexpected', internal } }];
    const error = graphqlError('It', 'write', told);
    expect(error.details.unclear === true && error.details.passing !== true, 'nobody knows').toBe(false);
    expect(refusalOf(error)?.type).toBe(type);
  });

  test('a role without the permission is told where to look', () => {
    const error = graphqlError(
      'It',
      'read',
      errors('validation-failed', "field 'todos' not found in type: 'query_root'"),
    );
    expect(error.message).toContain('permitted to this role');
  });

  test('what is no error of Hasura is one all the same', () => {
    for (const odd of [[], [null], [{}], undefined, ['x']])
      expect(graphqlError('It', 'read', odd).code).toBe('CONNECTION_LOST');
  });
});

test.each([
  [401, '{"message":"Unauthorized"}', 'AUTH_REQUIRED'],
  [401, '<html>', 'CONNECTION_LOST'],
  [403, '<html>', 'CONNECTION_LOST'],
  [403, '{"message":"Forbidden"}', 'CONNECTION_LOST'],
  [404, '', 'CONNECTION_LOST'],
  [413, '<html>', 'TOO_LARGE'],
  [429, '', 'CONNECTION_LOST'],
  [500, '', 'CONNECTION_LOST'],
  [503, '', 'CONNECTION_LOST'],
])('status %i with %s is %s', (status, text, code) => {
  expect(httpError('It', status, text).code).toBe(code);
});

test('only a status that says nothing else asks for the url', () => {
  for (const status of [200, 404, 405]) expect(httpError('It', status, '').message).toContain('/v1/graphql');
  for (const status of [403, 413, 429, 502, 503])
    expect(httpError('It', status, '').message).not.toContain('/v1/graphql');
});

const told = (message: string): string => JSON.stringify({ server_error_msg: message });

describe('the end of a socket', () => {
  test.each([
    [4400, told('4400: Connection initialization failed: Could not verify JWT: JWTExpired'), 'AUTH_REQUIRED'],
    [4400, told('4400: Parsing client message failed: not JSON'), 'CONNECT_FAILED'],
    [4401, told('4401: Unauthorized'), 'AUTH_REQUIRED'],
    [4403, told('4403: Forbidden'), 'AUTH_REQUIRED'],
    [4406, 'Subprotocol not acceptable', 'UNSUPPORTED'],
    [4408, told('4408: Connection initialisation timed out'), 'CONNECT_FAILED'],
    [4429, told('4429: Too many initialisation requests'), 'CONNECT_FAILED'],
    [1000, '', 'CONNECTION_LOST'],
    [1001, '', 'CONNECTION_LOST'],
    [1006, '', 'CONNECTION_LOST'],
    [1012, 'shutting server down', 'CONNECTION_LOST'],
  ])('%i %s is %s', (code, reason, expected) => {
    expect(socketError({ code, reason, wasClean: true }).code).toBe(expected);
  });

  test('the stray connection_error is a refusal of the token', () => {
    const thrown = new Error('Invalid message \'type\' property "connection_error"');
    expect(socketError(thrown).code).toBe('AUTH_REQUIRED');
  });

  test('a message of the older protocol says that it is not supported, and what to do', () => {
    const error = socketError(new Error('Invalid message \'type\' property "ka"'));
    expect(error.code).toBe('UNSUPPORTED');
    expect(error.message).toContain('Update Hasura to 2.1 or later');
  });

  test('anything else is a broken line', () => {
    for (const cause of [undefined, new Event('error'), new Error('odd'), 7])
      expect(socketError(cause).code).toBe('CONNECTION_LOST');
  });
});
