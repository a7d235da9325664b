import type { FirebaseApp } from 'firebase/app';
import { OUTSIDE_LIMIT, type TransportHost, within } from '../../src/adapter-kit/kit.js';
import { problem } from './problem.js';

/** What the parts of the SDK use of Firebase Auth: the component `auth-internal` of an app. */
interface AuthInternal {
  getUid(): string | null;
  addAuthTokenListener(listener: (token: string | null) => void): void;
  removeAuthTokenListener(listener: (token: string | null) => void): void;
}

interface Container {
  getProvider(name: 'auth-internal'): { onInit(callback: (auth: AuthInternal) => void): () => void };
}

/** Who is signed in with the Firebase Auth of an app. */
export interface Auth {
  /** Resolves once Auth knows whether a session is stored. Throws what `TransportHost.user` throws. */
  ready(): Promise<void>;
  /** Throws what `TransportHost.user` throws. */
  check(): void;
  close(): void;
}

/**
 * Firestore goes on without a session, and takes what the rules hide from its listeners for removed. So core is told who is signed in
 * before each request, and at each change. An app without Auth tells of nobody.
 */
export function watchAuth(app: FirebaseApp, host: () => TransportHost): Auth {
  const { container } = app as unknown as { readonly container?: Container };
  let uid: string | null | undefined;
  let first: Promise<void> | undefined;
  let stop = (): void => undefined;
  const off = container?.getProvider('auth-internal').onInit((auth) => {
    first = new Promise((resolve) => {
      const listener = (): void => {
        uid = auth.getUid();
        resolve();
        host().sessionChanged?.(uid);
      };
      auth.addAuthTokenListener(listener);
      stop = () => auth.removeAuthTokenListener(listener);
    });
  });

  function check(): void {
    if (uid !== undefined) host().user?.(uid);
  }
  return {
    check,
    async ready() {
      const late = () =>
        problem('CONNECT_FAILED', `Firebase Auth did not say within ${OUTSIDE_LIMIT} ms who is signed in.`);
      if (first !== undefined) await within(first, { ms: OUTSIDE_LIMIT, late });
      check();
    },
    close() {
      off?.();
      stop();
    },
  };
}
