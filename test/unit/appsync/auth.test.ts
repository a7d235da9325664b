import { expect, test } from 'vitest';
import { createAuthorizer } from '../../../adapters/appsync/auth.js';
import { readOptions } from '../../../adapters/appsync/options.js';
import { createTokenSource } from '../../../src/transport/token.js';

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };

test('the credentials of a guest, where a user was signed in, ask nothing', async () => {
  let user: string | null | undefined = 'ann';
  const tokens = createTokenSource(undefined);
  const options = readOptions({
    endpoint: 'https://abcdefghijklmnopqrstuvwxyz.appsync-api.eu-central-1.amazonaws.com/graphql',
    auth: { type: 'iam', credentials: async () => ({ ...keys, user }) },
    models: {},
  });
  const { headers } = createAuthorizer(options, () => ({
    authToken: tokens.get,
    user: tokens.told,
    log() {},
    traffic() {},
    report() {},
  }));
  expect(await headers('{}', 'http')).toHaveProperty('authorization');
  user = null;
  await expect(headers('{}', 'http')).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
  user = undefined;
  expect(await headers('{}', 'http'), 'of nobody knows whom').toHaveProperty('authorization');
});
