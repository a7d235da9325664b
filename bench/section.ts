import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** One part of the report. */
export interface Section {
  readonly title: string;
  /** Markdown. */
  readonly text: string;
}

/** What is printed to the terminal while it works. */
export type Say = (line: string) => void;

export interface BenchOptions {
  /** Smaller sizes and fewer rounds: to see that it runs. */
  readonly quick: boolean;
  readonly say: Say;
}

export type Bench = (options: BenchOptions) => Promise<Section>;

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

export const thousands = (value: number): string => Math.round(value).toLocaleString('en');
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
export const ratio = (value: number): string => `${value.toFixed(2)}x`;

/** A table; the first column is on the left, all others on the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** What Node needs to run our TypeScript. */
export const asWritten: readonly string[] = ['--import', new URL('strip-types.ts', import.meta.url).href];

/** Runs a measurement in a process of its own, where no other one's garbage lies. Its last line is JSON. */
export async function measured<T>(script: string, ...args: readonly string[]): Promise<T> {
  const child = spawn(process.execPath, ['--expose-gc', ...asWritten, script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [said, complained] = ['', ''];
  child.stdout.on('data', (chunk) => {
    said += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    complained += String(chunk);
  });
  const [code] = await once(child, 'close');
  const last = said.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || !last.startsWith('{')) throw new Error(`${script} ${args.join(' ')} failed:\n${said}${complained}`);
  return JSON.parse(last) as T;
}
