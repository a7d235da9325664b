import type { SupabaseClient } from '@supabase/supabase-js';
import { headerToken } from '../../src/adapter-kit/header-token.js';
import { OUTSIDE_LIMIT, subjectOf, type TransportHost, toSyncLayerError, within } from '../../src/adapter-kit/kit.js';
import { problem } from './problem.js';

/** What is used of supabase-js that is not in its types: the option `accessToken`, with which `auth` throws. */
type Tokens = { readonly accessToken?: () => Promise<string | null> };

/** The session of a client of the app's. */
export interface AppSession {
  /** The token that a request is to carry; undefined: nobody is signed in. Throws what `TransportHost.user` throws. */
  token(): Promise<string | undefined>;
  close(): void;
}

/**
 * Asks a client of the app's for its session. Without one supabase-js sends the anon key without a word, and fewer rows look as if
 * the others had been deleted: so each request is given the token that core was told of.
 */
export function createAppSession(client: SupabaseClient, host: () => TransportHost): AppSession {
  const own = (client as unknown as Tokens).accessToken?.bind(client);
  const subjectIn = (token: string | null | undefined): string | null | undefined => (token ? subjectOf(token) : null);

  async function ask(): Promise<string | undefined> {
    if (own) return (await own()) ?? undefined;
    const { data, error } = await client.auth.getSession();
    // It could not be renewed: that is no word about who is signed in.
    if (error && !data.session) throw error;
    return data.session?.access_token;
  }

  const subscription = own
    ? undefined
    : client.auth.onAuthStateChange((_, session) => {
        const user = subjectIn(session?.access_token);
        host().sessionChanged?.(user);
      }).data.subscription;

  return {
    async token() {
      let token: string | undefined;
      try {
        const late = () => problem('CONNECT_FAILED', `The client's session was not there within ${OUTSIDE_LIMIT} ms.`);
        token = headerToken(await within(ask(), { ms: OUTSIDE_LIMIT, late }), problem);
      } catch (cause) {
        throw toSyncLayerError(
          cause,
          'CONNECT_FAILED',
          "The client's session could not be had; it is asked for again.",
          {
            adapter: 'supabase',
          },
        );
      }
      const user = subjectIn(token);
      if (user !== undefined) host().user?.(user);
      return token;
    },
    close: () => subscription?.unsubscribe(),
  };
}
