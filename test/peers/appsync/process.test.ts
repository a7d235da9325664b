import { expect, test } from 'vitest';
import { startAppsyncProcess } from './start-process.js';

test('a peer that was killed is there again on the same port, with its data', { timeout: 300_000 }, async () => {
  const peer = await startAppsyncProcess({ models: [{ name: 'Todo', fields: { text: 'String' } }] });
  const { endpoint } = peer;
  await peer.write('Todo', 'a', { text: 'Milk' });
  await peer.kill();
  await expect(fetch(endpoint)).rejects.toThrow();
  await expect(peer.read('Todo')).rejects.toThrow('does not run');
  await peer.start();
  expect(peer.endpoint).toBe(endpoint);
  expect(await peer.read('Todo')).toMatchObject([{ id: 'a', text: 'Milk' }]);
  await peer.close();
  expect(process.getActiveResourcesInfo().filter((kind) => /Process|TCP/.test(kind))).toEqual([]);
});
