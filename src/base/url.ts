/** The parts of an absolute address that names a host. */
export interface Url {
  /** In lower case, e.g. `wss`. */
  readonly scheme: string;
  /** User name and password; empty if there are none. */
  readonly user: string;
  /** In lower case, with its port where that is not the scheme's own. */
  readonly host: string;
  /** At least `/`. */
  readonly path: string;
  /** With its `?`; empty if there is none. */
  readonly query: string;
  /** With its `#`; empty if there is none. */
  readonly hash: string;
}

const pattern =
  /^([a-z][a-z\d+.-]*):\/\/(?:([^/?#]*)@)?([^\s/?#@:[\]]+|\[[\da-f:.]+\])(?::(\d{1,5}))?(\/[^\s?#]*)?(\?[^\s#]*)?(#\S*)?$/i;

/**
 * Reads an address; undefined if it is none. React Native's URL has no `canParse`, and finds host and path of http and https only.
 *
 * @example
 * parseUrl('wss://API.example.com:443/ws?a=1')?.host; // 'api.example.com'
 */
export function parseUrl(text: unknown): Url | undefined {
  const parts = typeof text === 'string' ? pattern.exec(text) : null;
  if (!parts) return undefined;
  const [, scheme = '', user = '', name = '', port = '', path = '/', query = '', hash = ''] = parts;
  const own = /s$/i.test(scheme) ? '443' : '80';
  const host = name.toLowerCase() + (port && port !== own ? `:${port}` : '');
  return { scheme: scheme.toLowerCase(), user, host, path, query, hash };
}
