import { problemsOf } from '../../src/backends/problem.js';

/** An error of this adapter. */
export const problem = problemsOf('websocket');

/** What a server says may quote the token that it refused. */
export const withoutToken = (text: string, token: string | undefined): string =>
  token ? text.replaceAll(token, '(token)') : text;
