import {
  isSyncLayerError,
  OUTSIDE_LIMIT,
  problemsOf,
  type SyncLayerError,
  type TransportHost,
  toSyncLayerError,
  within,
} from '../../src/adapter-kit/kit.js';
import type { AppsyncAuth, AwsCredentials } from './options.js';
import type { Purpose } from './reads.js';

/** As in options.ts, which would otherwise be split from the adapter's start into a chunk of its own. */
const problem = problemsOf('appsync');

/** AWS calls a service by this name in a signature. */
const SERVICE = 'appsync';

const encoder = new TextEncoder();

const hex = (bytes: ArrayBuffer): string =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

const hash = async (text: string): Promise<string> => hex(await crypto.subtle.digest('SHA-256', encoder.encode(text)));

async function hmac(key: BufferSource, text: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return crypto.subtle.sign('HMAC', imported, encoder.encode(text));
}

/**
 * The headers of a POST, signed with Signature Version 4 ("Create a signed AWS API request" in the IAM user guide). Amplify's
 * own signer is not exported for others.
 */
export async function sign(
  url: URL,
  body: string,
  headers: Readonly<Record<string, string>>,
  { accessKeyId, secretAccessKey, sessionToken }: AwsCredentials,
  region: string,
  now: Date = new Date(),
): Promise<Record<string, string>> {
  const time = now.toISOString().replace(/[:-]|\.\d{3}/g, '');
  const day = time.slice(0, 8);
  const all: Record<string, string> = {
    ...headers,
    host: url.host,
    'x-amz-date': time,
    ...(sessionToken && { 'x-amz-security-token': sessionToken }),
  };
  const lines = Object.entries(all)
    .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/\s+/g, ' ')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const signed = lines.map(([name]) => name).join(';');
  const canonical = [
    'POST',
    url.pathname,
    '',
    ...lines.map(([name, value]) => `${name}:${value}`),
    '',
    signed,
    await hash(body),
  ].join('\n');
  const scope = `${day}/${region}/${SERVICE}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', time, scope, await hash(canonical)].join('\n');
  let key: BufferSource = encoder.encode(`AWS4${secretAccessKey}`);
  for (const part of scope.split('/')) key = await hmac(key, part);
  const signature = hex(await hmac(key, text));
  return {
    ...all,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
  };
}

const json = { 'content-type': 'application/json; charset=UTF-8' };
/** As AppSync wants them for what goes over the socket. A page of another origin may not send all of them by HTTP. */
const overSocket = { accept: 'application/json, text/javascript', 'content-encoding': 'amz-1.0', ...json };

const regionOf = (host: string): string | undefined => /\.appsync-api\.([\w-]+)\.amazonaws\.com/.exec(host)?.[1];

const noCredentials = (): SyncLayerError =>
  problem('CONNECT_FAILED', `credentials() has not answered for ${OUTSIDE_LIMIT} ms; it is asked again.`);

/** The headers of a POST to the API, or to what stands for it over the socket. Throws AUTH_REQUIRED without credentials. */
export async function signedHeaders(
  auth: Extract<AppsyncAuth, { type: 'iam' }>,
  { url: address, region }: { readonly url: string; readonly region?: string | undefined },
  what: Purpose,
  body: string,
  host: TransportHost,
): Promise<Record<string, string>> {
  const url = new URL(what === 'connect' ? `${address}/connect` : address);
  const where = region ?? regionOf(url.host);
  if (!where) throw problem('CONFIG_INVALID', 'The region is not in the url: set region, for requests to be signed.');
  try {
    const credentials = await within(auth.credentials(), { ms: OUTSIDE_LIMIT, late: noCredentials });
    if (credentials?.user !== undefined) host.user?.(credentials.user);
    if (!credentials) throw problem('AUTH_REQUIRED', 'There are no AWS credentials. Sign in, or allow guests.');
    return await sign(url, body, what === 'http' ? json : overSocket, credentials, where);
  } catch (error) {
    if (isSyncLayerError(error)) throw error;
    const message = 'The AWS credentials could not be had; they are asked for again.';
    throw toSyncLayerError(error, 'CONNECT_FAILED', message);
  }
}
