import { ok, unknown, wordsOf, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { toolsHost } from '../../../src/adapter-kit/doctor/host.js';
import { liveChecks } from '../../../src/adapter-kit/doctor/live.js';
import {
  type BackendTools,
  type Check,
  isSyncLayerError,
  type ToolsInput,
  type TransportHost,
} from '../../../src/adapter-kit/kit.js';
import { errorOf } from '../errors.js';
import { appsyncTransport } from '../index.js';
import { type ParsedOptions, readOptions } from '../options.js';
import { createAuthorizer } from '../reads.js';
import { type Ask, createAsk, type Reply } from './ask.js';
import { probeChecks, readChecks, writeChecks } from './live-checks.js';
import { type Place, placesOf } from './place.js';
import { readSchema } from './schema.js';
import { schemaChecks } from './schema-checks.js';
import { setupText } from './setup.js';

/** More than a slow answer explains, ms: a `Date` header has whole seconds. */
const TOLERANCE = 10_000;

function read({ transport, collections }: ToolsInput): { options: ParsedOptions; places: Place[] } {
  const options = readOptions(transport as never);
  return { options, places: placesOf(options, collections) };
}

const doctorsToken = '"doctor" uses authToken of the configuration, or of the transport.';

/** How to be let in, by the kind of authorization. */
const keys: Readonly<Record<ParsedOptions['auth']['type'], string>> = {
  apiKey: 'An API key lives for a year at most: look under Settings in the AppSync console, and make a new one.',
  userPool: `It takes the raw access token of a user of the API's own user pool, without "Bearer". ${doctorsToken}`,
  oidc: `It takes the raw token of the API's own issuer, without "Bearer". ${doctorsToken}`,
  lambda: `It takes what your Lambda authorizer accepts. ${doctorsToken}`,
  iam: 'The identity needs appsync:GraphQL for this API, and a clock that is right within 5 minutes.',
};

function clockCheck({ ahead }: Reply): Check {
  const what = 'the clock of this machine is right';
  if (Number.isNaN(ahead)) return unknown(what, 'The answer had no Date header.');
  if (Math.abs(ahead) < TOLERANCE) return ok(what);
  return wrong(
    what,
    `It is ${Math.round(Math.abs(ahead) / 1000)} s ${ahead > 0 ? 'fast' : 'slow'}; let it set itself (NTP). IAM refuses 5 minutes.`,
  );
}

/** Whether the API answers and takes the key or the token. Returns whether the rest can be looked at. */
async function* enter(ask: Ask, { auth }: ParsedOptions): AsyncGenerator<Check, boolean> {
  const there = 'the API answers';
  const letIn = 'the key or the token is accepted';
  let reply: Reply;
  try {
    reply = await ask({ query: 'query { __typename }' });
  } catch (thrown) {
    // Amplify, which is asked who is signed in.
    if (isSyncLayerError(thrown) && thrown.code === 'PEER_MISSING') throw thrown;
    // Of the credentials, not of the API.
    if (isSyncLayerError(thrown) && thrown.code !== 'CONNECTION_LOST')
      yield wrong(letIn, wordsOf(thrown), keys[auth.type]);
    else
      yield wrong(
        there,
        wordsOf(thrown),
        "The url is that of the API's settings: https://.../graphql. Is this machine online?",
      );
    return false;
  }
  const { status, errors, data } = reply;
  const { code, message } = errorOf('A first request', 'read', status, errors);
  if (code !== 'AUTH_REQUIRED' && (status !== 200 || (data.__typename === undefined && errors.length === 0))) {
    yield wrong(there, message, "The url is that of the API's settings: https://.../graphql.");
    return false;
  }
  yield ok(there);
  yield clockCheck(reply);
  const refused = errors.length > 0 && code === 'AUTH_REQUIRED';
  yield refused || status === 401 ? wrong(letIn, message, keys[auth.type]) : ok(letIn);
  return !refused && status !== 401;
}

async function* examine(options: ParsedOptions, places: readonly Place[], host: TransportHost): AsyncGenerator<Check> {
  const authorizer = createAuthorizer(options, () => host);
  const ask = createAsk(options, authorizer, host);
  if (!(yield* enter(ask, options))) return;
  const schema = await readSchema(ask);
  if ('status' in schema) {
    const text = errorOf('Introspection', 'read', schema.status, schema.errors).message;
    yield unknown('the schema can be read (introspection)', text, 'What follows was tried without it, and shows less.');
  }
  const subscribable: Place[] = [];
  for (const place of places) {
    const checks: Check[] = 'status' in schema ? [] : schemaChecks(schema, place, options);
    if ('status' in schema) for await (const check of probeChecks(ask, place)) checks.push(check);
    yield* checks;
    // The rest could only say the same again.
    if (checks.some(({ state }) => state === 'problem')) continue;
    subscribable.push(place);
    if (yield* readChecks(ask, place)) yield* writeChecks(ask, place);
  }
  const names = subscribable.map(({ collection }) => collection);
  yield* liveChecks(appsyncTransport(options), host, names, {
    timeout: options.subscribeTimeout,
    link: 'the socket is opened and greeted',
    fix: 'Does a proxy let WebSockets through? A custom domain needs its own /graphql/realtime.',
    served: 'its three subscriptions are acknowledged',
  });
}

/** `npx synclayer setup appsync` and `npx synclayer doctor`. */
export const appsyncTools: BackendTools = {
  setup(input) {
    const { options, places } = read(input);
    return setupText(places, options);
  },
  async *doctor(input) {
    const { options, places } = read(input);
    yield* examine(options, places, toolsHost(input));
  },
};
