import { nodeResolve } from '@rollup/plugin-node-resolve';
import { rollup } from 'rollup';

const warnings = [];
const bundle = await rollup({
  input: 'app.js',
  plugins: [nodeResolve({ browser: true })],
  onwarn: ({ message }) => warnings.push(message),
});
await bundle.write({ dir: 'out/rollup', format: 'es' });
console.log(JSON.stringify(warnings));
