import { expect, test } from 'vitest';
import { errorOf, isConflict, type Kind } from '../../../adapters/appsync/errors.js';

const code = (kind: Kind, status: number, ...errors: object[]): string => errorOf('It', kind, status, errors).code;

test('a refused token or key is AUTH_REQUIRED, a field that one may not touch is not', () => {
  const expired = { errorType: 'UnauthorizedException', message: 'Token has expired.' };
  const key = { errorType: 'UnauthorizedException', message: 'You are not authorized to make this call.' };
  for (const kind of ['read', 'write', 'connect', 'start'] as const) {
    expect(code(kind, 401)).toBe('AUTH_REQUIRED');
    expect(code(kind, 0, expired)).toBe('AUTH_REQUIRED');
    expect(code(kind, 0, key)).toBe('AUTH_REQUIRED');
  }
  expect(code('connect', 0, { errorType: 'Unauthorized', errorCode: 401 })).toBe('AUTH_REQUIRED');
  const field = { errorType: 'Unauthorized', message: 'Not Authorized to access createTodo on type Mutation' };
  expect(code('write', 200, { ...field, path: ['createTodo'] })).toBe('PUSH_REJECTED');
  expect(code('read', 200, { ...field, path: ['listTodos'] })).toBe('SUBSCRIBE_REJECTED');
  expect(code('start', 0, { ...field, message: 'Not Authorized to access onCreateTodo on type Subscription' })).toBe(
    'SUBSCRIBE_REJECTED',
  );
});

test('what passes by itself is tried again', () => {
  for (const status of [408, 429, 500, 503]) expect(code('write', status)).toBe('CONNECTION_LOST');
  for (const errorType of [
    'DynamoDB:ProvisionedThroughputExceededException',
    'ThrottlingException',
    'InternalFailure',
    'ExecutionTimeout',
    'DynamoDB:TransactionConflictException',
    'DynamoDB:TransactionInProgressException',
    'WAFForbiddenException',
  ])
    expect(code('write', 200, { errorType, path: ['createTodo'] })).toBe('CONNECTION_LOST');
  expect(code('start', 0, { errorType: 'LimitExceededError', message: 'Rate limit exceeded' })).toBe('CONNECT_FAILED');
  expect(code('start', 0, { errorType: 'MaxSubscriptionsReachedError' })).toBe('CONNECT_FAILED');
});

test('what stays wrong is final', () => {
  expect(code('write', 200, { errorType: 'ValidationException', path: ['createTodo'] })).toBe('PUSH_REJECTED');
  expect(code('read', 400, { message: 'Validation error of type FieldUndefined' })).toBe('SUBSCRIBE_REJECTED');
  expect(code('start', 0, { errorType: 'UnsupportedOperation' })).toBe('SUBSCRIBE_REJECTED');
  expect(code('connect', 0, { errorType: 'BadRequestException', errorCode: 400 })).toBe('CONNECT_FAILED');
});

test('both ways to say that somebody was first are conflicts', () => {
  expect(isConflict({ errorType: 'ConflictUnhandled' })).toBe(true);
  expect(isConflict({ errorType: 'DynamoDB:ConditionalCheckFailedException' })).toBe(true);
  expect(isConflict({ errorType: 'ValidationException' })).toBe(false);
  expect(isConflict({})).toBe(false);
});

test('a transaction that met another one passes, one that was refused for its items does not', () => {
  const cancelled = (reasons: string) => ({
    errorType: 'DynamoDB:TransactionCanceledException',
    message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${reasons}]`,
  });
  expect(code('write', 200, cancelled('None, TransactionConflict'))).toBe('CONNECTION_LOST');
  expect(code('write', 200, cancelled('None, ThrottlingError'))).toBe('CONNECTION_LOST');
  expect(code('write', 200, cancelled('ValidationError, None'))).toBe('PUSH_REJECTED');
  expect(code('write', 200, { errorType: 'DynamoDB:ItemCollectionSizeLimitExceededException' })).toBe('PUSH_REJECTED');
});

test('a firewall or a gateway is not AppSync: it passes', () => {
  const firewall = { errorType: 'WAFForbiddenException', message: '403 Forbidden' };
  for (const kind of ['read', 'write'] as const) {
    expect(code(kind, 403, firewall)).toBe('CONNECTION_LOST');
    expect(errorOf('It', kind, 403, undefined).code).toBe('CONNECTION_LOST');
    expect(errorOf('It', kind, 401, undefined).code, 'also with 401').toBe('CONNECTION_LOST');
    expect(code(kind, 403, { message: 'Forbidden' })).toBe('CONNECTION_LOST');
  }
  expect(code('connect', 0, { ...firewall, errorCode: 403 })).toBe('CONNECT_FAILED');
  expect(errorOf('It', 'write', 413, undefined).code).toBe('TOO_LARGE');
});

test('a 403 in which AWS speaks of the credentials is AUTH_REQUIRED', () => {
  for (const errorType of [
    'AccessDeniedException',
    'ExpiredTokenException',
    'InvalidSignatureException',
    'UnrecognizedClientException',
  ])
    expect(code('read', 403, { errorType, message: 'words' })).toBe('AUTH_REQUIRED');
});

test('nobody knows whether a failure without a reason is about the item', () => {
  for (const errorType of ['InternalFailure', 'Lambda:Unhandled'])
    expect(errorOf('It', 'write', 200, [{ errorType, path: ['createTodo'] }])).toMatchObject({
      code: 'CONNECTION_LOST',
      details: { unclear: true },
    });
});
