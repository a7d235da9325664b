import { expect, test } from 'vitest';
import { checkOptions, type OptionRules } from '../../../src/base/problems.js';

const rules: OptionRules = { url: ['a text', (value) => typeof value === 'string'] };

test('an option that has another name now is refused, and the message says which', () => {
  const check = (input: object) => () => checkOptions(rules, input, 'acmeTransport', [], { endpoint: 'url' });
  expect(check({ endpoint: 'x' })).toThrow('acmeTransport cannot use its options:\n- endpoint is called url now');
  expect(check({ urll: 'x' })).toThrow('urll is not an option; did you mean "url"?');
  expect(check({ url: 'x' })).not.toThrow();
});
