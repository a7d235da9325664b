/** Runs what a bundler made: `node run.mjs FILE URL`. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , file, url] = process.argv;
// What Vite puts around import() tells the page that one failed.
globalThis.window = new EventTarget();
const built = await import(pathToFileURL(resolve(file)).href);
const run = built.run ?? built.default?.run;
console.log(JSON.stringify(await run(url)));
process.exit(0);
