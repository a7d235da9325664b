import { build } from 'esbuild';

const { warnings } = await build({
  entryPoints: ['app.js'],
  outdir: 'out/esbuild',
  bundle: true,
  splitting: true,
  format: 'esm',
  minify: true,
  logLevel: 'silent',
});
console.log(JSON.stringify(warnings.map(({ text }) => text)));
