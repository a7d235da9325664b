import { notLoaded, problemsOf } from '../../src/adapter-kit/kit.js';
import type { AppsyncAuth, AppsyncTransportOptions, AwsCredentials } from './options.js';

const problem = problemsOf('appsync');

/** What of Amplify's session is used. */
interface Session {
  readonly credentials?: AwsCredentials;
  readonly userSub?: string;
  readonly tokens?: { readonly accessToken: { toString(): string } };
}

type Values = Readonly<Record<string, unknown>>;

/** What each of Amplify's ways to write it calls a mode. */
const modes: Readonly<Record<string, AppsyncAuth['type']>> = {
  apiKey: 'apiKey',
  API_KEY: 'apiKey',
  userPool: 'userPool',
  AMAZON_COGNITO_USER_POOLS: 'userPool',
  oidc: 'oidc',
  OPENID_CONNECT: 'oidc',
  lambda: 'lambda',
  AWS_LAMBDA: 'lambda',
  iam: 'iam',
  identityPool: 'iam',
  AWS_IAM: 'iam',
};

async function loadAuth() {
  try {
    return await import('aws-amplify/auth');
  } catch (cause) {
    throw notLoaded('aws-amplify', cause, { adapter: 'appsync' });
  }
}

async function session(): Promise<Session> {
  const { fetchAuthSession } = await loadAuth();
  return fetchAuthSession();
}

/** Without a session Amplify silently gives those of a guest, who may see fewer rows. */
async function iamCredentials(): Promise<AwsCredentials | undefined> {
  const { credentials, userSub } = await session();
  return credentials && { ...credentials, user: userSub ?? null };
}

/** How the user who is signed in with Amplify is let in. */
function identityOf(type: AppsyncAuth['type'], apiKey: string): Pick<AppsyncTransportOptions, 'auth' | 'authToken'> {
  if (type === 'apiKey') return { auth: { type, apiKey } };
  if (type === 'iam') return { auth: { type, credentials: iamCredentials } };
  // Only Amplify's own sign-in has a session to take the token from; a Lambda's token is the app's.
  if (type === 'lambda') return { auth: { type } };
  return { auth: { type }, authToken: async () => (await session()).tokens?.accessToken.toString() };
}

/**
 * The options that Amplify knows, of `Amplify.getConfig()`, the content of `amplify_outputs.json`, or of `aws-exports.js`. The
 * identity is that of Amplify's session: `aws-amplify` is loaded when it is first asked for. `mode`: another than the API's default.
 * A `customEndpoint`, which Amplify uses for queries alone, is taken where there is no other: subscriptions need one that serves both.
 *
 * @throws SyncLayerError CONFIG_INVALID if no GraphQL API is in it, or AppSync Events only.
 * @example
 * import { fromAmplify } from 'synclayer/appsync-amplify';
 * const transport = appsyncTransport({ ...fromAmplify(Amplify.getConfig()), collections });
 */
export function fromAmplify(
  config: object,
  mode?: AppsyncAuth['type'],
): Pick<AppsyncTransportOptions, 'url' | 'region' | 'auth' | 'authToken'> {
  const { API, data, ...exports } = config as Values;
  const resources = Object((Object(API) as Values).GraphQL) as Values;
  const outputs = Object(data) as Values;
  const first = (...values: unknown[]): string | undefined =>
    values.find((value) => typeof value === 'string' && value !== '') as string | undefined;
  const own = first(resources.endpoint, outputs.url, exports.aws_appsync_graphqlEndpoint);
  const url = own ?? first(resources.customEndpoint);
  const region =
    own === undefined && resources.customEndpointRegion !== undefined
      ? first(resources.customEndpointRegion)
      : first(resources.region, outputs.aws_region, exports.aws_appsync_region);
  const apiKey = first(resources.apiKey, outputs.api_key, exports.aws_appsync_apiKey);
  const usual = first(
    resources.defaultAuthMode,
    outputs.default_authorization_type,
    exports.aws_appsync_authenticationType,
  );
  const type = mode ?? modes[usual ?? ''];
  if (url === undefined || type === undefined || (type === 'apiKey' && apiKey === undefined)) {
    const events = Object(API).Events ?? Object(exports.custom).events;
    if (url === undefined && events !== undefined)
      throw problem(
        'CONFIG_INVALID',
        'fromAmplify found AppSync Events only (.../event), which keeps no data. SyncLayer needs a GraphQL API.',
      );
    const fix = 'Give it Amplify.getConfig() after Amplify.configure(), or the content of amplify_outputs.json.';
    throw problem('CONFIG_INVALID', `fromAmplify found no GraphQL API with its authorization. ${fix}`);
  }
  return { url, ...(region && { region }), ...identityOf(type, apiKey ?? '') };
}
