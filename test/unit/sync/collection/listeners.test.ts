import { expect, test } from 'vitest';
import type { Delta } from '../../../../src/query/types.js';
import { createListeners } from '../../../../src/sync/collection/listeners.js';

const delta = (id: string): Delta => ({ id, before: undefined, after: { id } });

test('every listener gets a batch before the one that a listener makes', () => {
  const { notify, onChange } = createListeners();
  const seen: string[] = [];
  onChange(([first]) => {
    seen.push(`one ${first?.id}`);
    if (first?.id === 'a') notify([delta('b')]);
  });
  onChange(([first]) => void seen.push(`other ${first?.id}`));
  notify([delta('a')]);
  expect(seen).toEqual(['one a', 'other a', 'one b', 'other b']);
});

test('a listener that throws keeps no later batch back, and one that is gone hears nothing', () => {
  const { notify, onChange } = createListeners();
  const seen: (string | undefined)[] = [];
  const stop = onChange(() => {
    throw new Error('the app');
  });
  expect(() => notify([delta('a')])).toThrow('the app');
  stop();
  onChange(([first]) => void seen.push(first?.id));
  notify([delta('b')]);
  expect(seen).toEqual(['b']);
});
