import { createTokenSource, type ToolsInput, type TransportHost } from '../kit.js';

/** What a transport is given by a tool. The token is the configuration's, else the transport's own, as in an app. */
export function toolsHost({ authToken }: Pick<ToolsInput, 'authToken'>): TransportHost {
  const { get, refused } = createTokenSource(authToken);
  return { authToken: get, refused, log() {}, traffic() {}, report() {} };
}
