/** `node react-native.mjs BUNDLE URL`: runs a bundle with the globals that React Native up to 0.86 has, and no others. */
import { readFileSync } from 'node:fs';
import { createContext, runInContext } from 'node:vm';
import { AbortController, AbortSignal } from 'abort-controller';

const [, , bundle, url] = process.argv;

/** It takes an address as text only. */
class Socket extends WebSocket {
  constructor(address, ...more) {
    if (typeof address !== 'string') throw new TypeError('Value for url cannot be cast from object to String');
    super(address, ...more);
  }
}

/** React Native's own reads http addresses only (Libraries/Blob/URL.js). */
class Url {
  #text;
  constructor(text) {
    this.#text = text;
  }
  get host() {
    return /^https?:\/\/([^/?#]+)/.exec(this.#text)?.[1] ?? '';
  }
  get pathname() {
    return /^https?:\/\/[^/]+(\/[^?#]*)?/.exec(this.#text)?.[1] ?? '/';
  }
}

const { setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, fetch, Headers, Request, Response } =
  globalThis;
const { TextEncoder, atob, btoa, performance, console } = globalThis;
const context = createContext({
  ...{ setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, fetch, Headers, Request, Response },
  ...{ TextEncoder, atob, btoa, performance, console, AbortController, AbortSignal },
  WebSocket: Socket,
  URL: Url,
  navigator: { product: 'ReactNative' },
});
// Those of V8 cannot all be deleted.
const prelude = `
  var window = globalThis, global = globalThis, __DEV__ = false;
  Symbol = ((Own) => {
    const { asyncIterator, ...all } = Object.getOwnPropertyDescriptors(Own);
    return Object.defineProperties((name) => Own(name), all);
  })(Symbol);
  for (const name of ['isWellFormed', 'toWellFormed']) delete String.prototype[name];
`;
runInContext(prelude, context);
runInContext(readFileSync(bundle, 'utf8'), context, { filename: bundle });
console.log(JSON.stringify(await context.run(url)));
process.exit(0);
