import type { TransportHost } from '../../src/adapter-kit/kit.js';
import { createHttp } from './http.js';
import { createOriginal } from './legacy/original.js';
import type { ParsedOptions } from './options.js';
import { createRest } from './rest.js';

/** All that goes by HTTP, in a chunk of its own. */
export function createFallback(options: ParsedOptions, host: () => TransportHost) {
  const http = createHttp(options, host);
  return { rest: createRest(http, host), original: createOriginal(http, options.overlap) };
}

export type Fallback = ReturnType<typeof createFallback>;
