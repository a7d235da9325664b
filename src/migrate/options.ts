import { SyncLayerError } from '../base/errors.js';
import type { MigrationOptions } from './types.js';

const defaults = {
  pageSize: 1000,
  pushSize: 500,
  concurrency: 4,
  accept: [] as readonly string[],
  giveUpAfter: 600_000,
  allowDeletes: false,
  auditInterval: 300_000,
  pollInterval: 5000,
};

const positive = ['rateLimit', 'giveUpAfter', 'auditInterval', 'pollInterval'] as const;
const whole = ['pageSize', 'pushSize', 'concurrency'] as const;

/** The options with their defaults. */
export type CheckedOptions = Omit<MigrationOptions, keyof typeof defaults> & typeof defaults;

/** Throws CONFIG_INVALID. */
export function checkOptions(input: MigrationOptions): CheckedOptions {
  const given = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  ) as unknown as CheckedOptions;
  const options: CheckedOptions = { ...defaults, ...given };
  const wrong = (what: string): never => {
    throw new SyncLayerError('CONFIG_INVALID', `migrate: ${what}`);
  };
  for (const side of ['from', 'to'] as const)
    if (typeof options[side]?.transport?.pull !== 'function') wrong(`"${side}" needs a transport.`);
  if (options.from.transport === options.to.transport) wrong('"from" and "to" are the same transport.');
  if (!Array.isArray(options.collections) || options.collections.length === 0)
    wrong('"collections" must name at least one collection.');
  if (typeof options.stateFile !== 'string' || options.stateFile === '')
    wrong('"stateFile" must be a path, such as "migrate.db".');
  for (const key of positive)
    if (options[key] !== undefined && !(Number(options[key]) > 0)) wrong(`"${key}" must be a number above 0.`);
  for (const key of whole)
    if (!Number.isSafeInteger(options[key]) || options[key] < 1) wrong(`"${key}" must be a whole number, 1 or more.`);
  return options;
}
