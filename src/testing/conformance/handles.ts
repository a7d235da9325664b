/**
 * The timers and sockets that keep this process alive, by kind: `Timeout`, `TCPSocketWrap`. Node only; elsewhere none can
 * be seen.
 */
export const openHandles = (): readonly string[] =>
  globalThis.process?.getActiveResourcesInfo?.().filter((kind) => /Timeout|TCP|TLS|HTTP/i.test(kind)) ?? [];
