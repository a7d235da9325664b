/** All that an adapter may import. */
export { parseOptions, rule } from './options.js';
export * from './transport-kit.js';
