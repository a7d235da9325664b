interface NodeProcess {
  getActiveResourcesInfo?(): readonly string[];
  /** Not documented, and in every Node. */
  _getActiveHandles?(): readonly unknown[];
}

/** A socket that a server of this process took: the backend of the suite runs here too, and HTTP keeps idle ones for seconds. */
const isAccepted = (handle: unknown): boolean => Object(Object(handle).server) === Object(handle).server;

/**
 * The timers and sockets that keep this process alive, by kind: `Timeout`, `TCPSocketWrap`; without the server's side of a connection.
 * Node only; elsewhere none can be seen.
 */
export function openHandles(): readonly string[] {
  const process = globalThis.process as NodeProcess | undefined;
  const kinds = process?.getActiveResourcesInfo?.().filter((kind) => /Timeout|TCP|TLS|HTTP/i.test(kind)) ?? [];
  let accepted = process?._getActiveHandles?.().filter(isAccepted).length ?? 0;
  return kinds.filter((kind) => kind !== 'TCPSocketWrap' || accepted-- <= 0);
}
