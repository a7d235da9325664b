#!/usr/bin/env node
import { defineCommand, runMain } from 'citty';
import { isSyncLayerError } from '../errors.js';
import { toolsOf } from './backends.js';
import { loadConfig } from './load-config.js';
import { lineOf, summaryOf } from './report.js';
import type { Check } from './tools.js';

const config = {
  type: 'string',
  description: 'A module or JSON file with the configuration that createSyncLayer takes',
  required: true,
  valueHint: 'file',
} as const;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** What a user did wrong is told in a line; anything else is a fault of ours, with its stack. */
async function orTell(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isSyncLayerError(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

const setup = defineCommand({
  meta: { name: 'setup', description: 'Print what a backend needs, to be run there. Safe to run twice' },
  args: {
    backend: { type: 'positional', description: 'supabase, firestore, hasura or appsync', required: true },
    config,
  },
  run: ({ args }) =>
    orTell(async () => {
      const { setup } = await toolsOf(args.backend);
      print(setup(await loadConfig(args.config)));
    }),
});

const doctor = defineCommand({
  meta: { name: 'doctor', description: 'Look at a live backend for what is missing. Exit code 1: something is' },
  args: {
    config,
    databaseUrl: {
      type: 'string',
      description: 'postgres://… for what only the catalog tells. Default: the variable DATABASE_URL',
      valueHint: 'url',
    },
    json: { type: 'boolean', description: 'Print the checks as JSON' },
  },
  run: ({ args }) =>
    orTell(async () => {
      const input = await loadConfig(args.config);
      const { doctor } = await toolsOf(input.type);
      const checks: Check[] = [];
      for await (const check of doctor(input, { databaseUrl: args.databaseUrl ?? process.env.DATABASE_URL })) {
        checks.push(check);
        if (!args.json) print(lineOf(check));
      }
      print(args.json ? JSON.stringify(checks, null, 2) : `\n${summaryOf(checks)}`);
      if (checks.some(({ state }) => state === 'problem')) process.exitCode = 1;
    }),
});

/** Loaded only when it is used: it needs node:sqlite, which Node 22 warns of. */
const migrate = async () => {
  const { default: command } = await import('./migrate/index.js');
  const { run } = command;
  return { ...command, run: (context: Parameters<NonNullable<typeof run>>[0]) => orTell(async () => run?.(context)) };
};

await runMain(
  defineCommand({
    meta: { name: 'synclayer', description: 'Set up and examine the backends of SyncLayer, and move between them' },
    subCommands: { setup, doctor, migrate },
  }),
);
// The configuration may have opened what would keep the process: a signed-in user's token is renewed for ever.
process.stdout.write('', () => process.exit());
