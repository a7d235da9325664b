/** Hermes has no `Symbol.asyncIterator`; what Babel makes of `for await` and of async generators uses this name then. */
export const asyncIterator: typeof Symbol.asyncIterator = Symbol.asyncIterator ?? '@@asyncIterator';
