/** Keeps the `exports` of package.json equal to the list of entry points. `--check` only looks, for CI. */
import { readFileSync, writeFileSync } from 'node:fs';
import { entries } from './entries.js';

const conditions = (name: string) => ({
  import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
  require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
});

const before = readFileSync('package.json', 'utf8');
const manifest = JSON.parse(before);
manifest.exports = Object.fromEntries([
  ...Object.keys(entries).map((name) => [name === 'index' ? '.' : `./${name}`, conditions(name)]),
  ['./package.json', './package.json'],
]);
const after = `${JSON.stringify(manifest, null, 2)}\n`;

if (after !== before) {
  if (process.argv.includes('--check')) {
    console.error(
      'package.json: "exports" differs from scripts/entries.ts. Run `npm run build` and commit package.json.',
    );
    process.exit(1);
  }
  writeFileSync('package.json', after);
  console.log('package.json: "exports" written from scripts/entries.ts');
}
