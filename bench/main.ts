/**
 * SyncLayer beside what a user would pick instead, on the same work in one run.
 *
 * `npm run bench` measures all and writes `bench/RESULTS.md`; `-- --only apply,size` some, and writes nothing; `-- --quick`
 * sees that it runs.
 */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { apply } from './apply/index.js';
import { durable } from './durable/index.js';
import { recovery } from './recovery/index.js';
import type { Bench } from './section.js';
import { server } from './server/index.js';
import { size } from './size.js';
import { wire } from './wire/index.js';

const benches: Readonly<Record<string, Bench>> = { apply, durable, wire, recovery, server, size };

const { values } = parseArgs({
  options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } },
});
const names = values.only?.split(',') ?? Object.keys(benches);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')}. Choose from ${Object.keys(benches).join(', ')}.`);
  process.exit(2);
}

const started = Date.now();
const say = (line: string): void =>
  console.error(`${String(Math.round((Date.now() - started) / 1000)).padStart(5)} s  ${line}`);
const sections: string[] = [];
for (const name of names) {
  const section = await benches[name]?.({ quick: values.quick, say });
  if (!section) continue;
  sections.push(`## ${section.title}\n\n${section.text}`);
  console.log(`\n## ${section.title}\n\n${section.text}`);
}

if (values.only === undefined && !values.quick) {
  const [cpu] = cpus();
  const machine = `${cpus().length} x ${cpu?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}`;
  const head = `# Speed\n\nWritten by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine}. Compare ratios: times are this machine's.`;
  writeFileSync(new URL('RESULTS.md', import.meta.url), `${head}\n\n${sections.join('\n\n')}\n`);
  say('bench/RESULTS.md is written.');
}
process.exit();
