import type { TransportHost } from './kit.js';

/** What a transport has for a host before it was given one. */
export const unattached: TransportHost = { authToken: async () => undefined, log() {}, traffic() {}, report() {} };
