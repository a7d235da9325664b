#!/usr/bin/env node
import { defineCommand } from 'citty';
import manifest from '../../package.json' with { type: 'json' };
import type { Check } from '../adapter-kit/doctor/tools.js';
import { toolsOf } from './backends.js';
import { loadConfig } from './load-config.js';
import { lineOf, summaryOf } from './report.js';
import { start } from './start.js';

const config = {
  type: 'string',
  description: 'A module or JSON file with the configuration that createSyncLayer takes',
  required: true,
  valueHint: 'file',
} as const;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const setup = defineCommand({
  meta: { name: 'setup', description: 'Print what a backend needs, to be run there. Safe to run twice' },
  args: {
    backend: { type: 'positional', description: 'supabase, firestore, hasura or appsync', required: true },
    config,
  },
  async run({ args }) {
    const { setup } = await toolsOf(args.backend);
    print(setup(await loadConfig(args.config)));
  },
});

const doctor = defineCommand({
  meta: { name: 'doctor', description: 'Look at a live backend for what is missing. Exit code 1: something is' },
  args: {
    config,
    'database-url': {
      type: 'string',
      description: 'postgres://… for what only the catalog tells. Default: the variable DATABASE_URL',
      valueHint: 'url',
    },
    json: { type: 'boolean', description: 'Print the checks as JSON' },
  },
  async run({ args }) {
    const input = await loadConfig(args.config);
    const { doctor } = await toolsOf(input.type);
    const checks: Check[] = [];
    const databaseUrl = args['database-url'] ?? process.env.DATABASE_URL;
    for await (const check of doctor(input, { databaseUrl })) {
      checks.push(check);
      if (!args.json) print(lineOf(check));
    }
    print(args.json ? JSON.stringify(checks, null, 2) : `\n${summaryOf(checks)}`);
    if (checks.some(({ state }) => state === 'problem')) process.exitCode = 1;
  },
});

const program = {
  name: 'synclayer',
  version: manifest.version,
  description: 'Set up and examine the backends of SyncLayer, and move between them',
  commands: {
    setup: () => setup,
    doctor: () => doctor,
    // Loaded only when it is used: it needs node:sqlite, which Node 22 warns of.
    migrate: async () => (await import('./migrate/index.js')).default,
  },
};

await start(program, process.argv.slice(2));
// The configuration may have opened what would keep the process: a signed-in user's token is renewed for ever.
process.stdout.write('', () => process.exit());
