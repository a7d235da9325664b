import type { ArgsDef } from 'citty';
import { suggest } from '../base/problems.js';

/**
 * What is wrong with the words after a command, if anything. citty passes over flags that it does not know, and takes the next flag
 * for the value of one that has none: a mistyped `--dry-run` would be a real run.
 */
export function flagProblem(words: readonly string[], args: ArgsDef): string | undefined {
  const flags = Object.keys(args).filter((name) => args[name]?.type !== 'positional');
  let positionals = Object.keys(args).length - flags.length;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!word.startsWith('-')) {
      positionals -= 1;
      if (positionals < 0) return `"${word}" is not expected here: an option begins with --.`;
      continue;
    }
    const [flag = '', value] = word.split(/=(.*)/s);
    const given = flag.replace(/^--?/, '');
    const name = given.replace(/^no-/, '');
    const known = flag.startsWith('--') && flags.includes(name) ? args[name] : undefined;
    const isSwitch = known?.type === 'boolean';
    if (!known || (name !== given && !isSwitch)) return `${flag} is not an option; ${suggest(given, flags, '--')}`;
    if (isSwitch) {
      if (value !== undefined) return `${flag} takes no value.`;
      continue;
    }
    const next = value ?? words[++at];
    if (!next || next.startsWith('-')) return `${flag} needs a value: ${flag} <${known.valueHint ?? 'value'}>`;
  }
  return undefined;
}
