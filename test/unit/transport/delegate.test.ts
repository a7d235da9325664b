import { expect, test } from 'vitest';
import { SyncLayerError } from '../../../src/base/errors.js';
import { ownTokenFirst } from '../../../src/transport/delegate.js';
import { createTokenSource } from '../../../src/transport/token.js';
import type { TransportHost } from '../../../src/transport/transport.js';

const refusal = (): SyncLayerError => new SyncLayerError('AUTH_REQUIRED', 'The server says 401.');

/** What one of several backends is given by an app with this token. */
function door(appToken: () => string): TransportHost {
  const { get, refused } = createTokenSource(appToken);
  return ownTokenFirst({ authToken: get, refused } as TransportHost);
}

test('the app`s token that was refused is not asked with again', async () => {
  const host = door(() => 'bad');
  const error = refusal();
  expect(host.refused?.(await host.authToken(), error)).toBe(error);
  await expect(host.authToken()).rejects.toMatchObject({ code: 'AUTH_REQUIRED' });
});

test.each(['its own', 'the app`s'])('a late refusal of %s says nothing about the token in use', async (whose) => {
  let token = 'old';
  const host = door(() => token);
  const ask = (): Promise<string | undefined> => host.authToken(whose === 'its own' ? () => token : undefined);
  await ask();
  token = 'new';
  await ask();
  await ask();
  expect(host.refused?.('old', refusal())).toMatchObject({ code: 'CONNECTION_LOST' });
  expect(await ask()).toBe('new');
});
