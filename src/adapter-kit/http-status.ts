import type { SyncLayerError } from './kit.js';
import type { ProblemMaker } from './problem.js';
import { sentence } from './sentence.js';

/** What a status means where the backend itself has said nothing: then a proxy, a gateway or a firewall has answered. */
const meanings: Readonly<Record<number, string>> = {
  403: 'A firewall or a gateway in front of the backend refuses the request.',
  408: 'The request took too long to arrive.',
  413: 'The request is larger than the server, or a proxy in front of it, takes.',
  429: 'There were too many requests in a short time.',
  500: 'The server has failed.',
  502: 'The gateway has no connection to the backend.',
  503: 'The backend is overloaded, is starting, or is down.',
  504: 'The backend has not answered its gateway in time.',
};

/** Whether an answer is a page of a proxy, and no word of a backend that speaks JSON. */
export const isPage = (text: string | undefined): boolean => /^\s*</.test(text ?? '');

/**
 * An answer of HTTP in which the backend has not said what is wrong. It is never about the data: AUTH_REQUIRED for a 401,
 * TOO_LARGE for a 413, else CONNECTION_LOST. `hint`: what to look at where the status says nothing.
 */
export function statusError(
  problem: ProblemMaker,
  what: string,
  status: number,
  { page, hint, said = '' }: { readonly page: boolean; readonly hint: string; readonly said?: string },
): SyncLayerError {
  const details = { status };
  const start = sentence(`${what} was answered with status ${status}${said && `: ${said}`}`);
  if (status === 401 && !page)
    return problem('AUTH_REQUIRED', `${start} Sign in again, or check the key and the headers.`, { details });
  const meaning = meanings[status];
  if (status === 413) return problem('TOO_LARGE', `${start} ${meaning}`, { details });
  return problem('CONNECTION_LOST', `${start} ${meaning ? `${meaning} It is tried again.` : hint}`, { details });
}
