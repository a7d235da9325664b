import { stripVTControlCharacters } from 'node:util';
import { type CommandDef, renderUsage, runCommand, type SubCommandsDef } from 'citty';
import { isSyncLayerError } from '../base/errors.js';
import { suggest } from '../base/problems.js';
import { flagProblem } from './flags.js';

/** A program of commands; each is loaded when it is used. */
export interface Program {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly commands: SubCommandsDef;
}

const isHelp = (word: string | undefined): boolean => word === '--help' || word === '-h';

/** What a user did wrong is told in a line. */
function wrong(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 2;
}

function show(usage: string, stream: NodeJS.WriteStream): void {
  stream.write(`${stream.isTTY ? usage : stripVTControlCharacters(usage)}\n`);
}

/** Runs what the command line asks for. Exit code 2: it asks for something that there is not. Throws what is a fault of ours. */
export async function start(
  { name, version, description, commands }: Program,
  words: readonly string[],
): Promise<void> {
  const root: CommandDef = { meta: { name, version, description }, subCommands: commands };
  const [first, ...rest] = words[0] === 'help' ? [...words.slice(1), '--help'] : words;
  if (first === '--version' || first === '-v') return void process.stdout.write(`${version}\n`);
  if (isHelp(first)) return show(await renderUsage(root), process.stdout);
  if (first === undefined) {
    show(await renderUsage(root), process.stderr);
    return wrong('Name a command.');
  }
  const found = Object.hasOwn(commands, first) ? commands[first] : undefined;
  if (!found) return wrong(`"${first}" is not a command; ${suggest(first, Object.keys(commands))}`);
  const command = await (typeof found === 'function' ? found() : found);
  if (rest.some(isHelp)) return show(await renderUsage(command, root), process.stdout);
  const problem = flagProblem(rest, command.args ?? {});
  const see = `See: npx ${name} ${first} --help`;
  if (problem !== undefined) return wrong(`${problem}\n${see}`);
  try {
    await runCommand(command, { rawArgs: rest });
  } catch (error) {
    if (isSyncLayerError(error)) wrong(error.message);
    // citty does not export its class: a required argument is missing.
    else if (error instanceof Error && error.name === 'CLIError') wrong(`${error.message}\n${see}`);
    else throw error;
  }
}
