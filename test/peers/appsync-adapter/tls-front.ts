import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';

/** What a client must trust: `NODE_EXTRA_CA_CERTS`. */
export const certificatePath = join(import.meta.dirname, 'tls', 'certificate.pem');

/** TLS in front of a server on this machine. */
export interface TlsFront {
  readonly port: number;
  /** The first line of what came through each connection, decrypted. */
  readonly firstLines: readonly string[];
  close(): Promise<void>;
}

export async function startTlsFront(to: number): Promise<TlsFront> {
  const key = readFileSync(join(import.meta.dirname, 'tls', 'key.pem'));
  const open = new Set<{ destroy(): void }>();
  const firstLines: string[] = [];
  const server = createServer({ key, cert: readFileSync(certificatePath) }, (outer) => {
    const inner = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
    outer.once('data', (data) => firstLines.push(String(data).split('\r\n', 1)[0] ?? ''));
    outer.pipe(inner).pipe(outer);
  });
  // A client that does not trust the certificate ends the handshake.
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    firstLines,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
