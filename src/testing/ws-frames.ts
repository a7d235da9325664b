/** Longer than any upgrade: a stream that has not come to its end by then is something else. In bytes. */
const MAX_HEAD = 65_536;

/** A request or an answer that makes a WebSocket of the connection. */
const isUpgrade = (head: string): boolean =>
  /\r\nupgrade: *websocket *\r\n/i.test(head) && (!head.startsWith('HTTP/') || /^HTTP\/1\.1 101\b/.test(head));

/** How long a frame's header and payload are, once enough of the header is there. */
function frameLength(header: readonly number[]): number | undefined {
  const [, second = 0] = header;
  const short = second & 0x7f;
  const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
  if (header.length < 2 + extended) return undefined;
  const payload = extended === 0 ? short : header.slice(2, 2 + extended).reduce((sum, byte) => sum * 256 + byte, 0);
  const mask = second & 0x80 ? 4 : 0;
  return 2 + extended + mask + payload;
}

/**
 * Reads one direction of a connection: first the HTTP upgrade, then WebSocket frames, control frames among them. Each call
 * gives the places in its chunk just behind a frame. A connection that is no WebSocket has none.
 */
export function createFrameScanner(): (chunk: Uint8Array) => readonly number[] {
  let reading: 'head' | 'frames' | 'other' = 'head';
  let head = '';
  let header: number[] = [];
  /** Bytes of the frame that are still to come, once its length is known. */
  let left = 0;

  function readHead(chunk: Uint8Array): number {
    for (let at = 0; at < chunk.length; at++) {
      head += String.fromCharCode(chunk[at] as number);
      if (!head.endsWith('\r\n\r\n') && head.length < MAX_HEAD) continue;
      reading = isUpgrade(head) ? 'frames' : 'other';
      head = '';
      return at + 1;
    }
    return chunk.length;
  }

  return (chunk) => {
    const ends: number[] = [];
    let at = reading === 'head' ? readHead(chunk) : 0;
    if (reading !== 'frames') return ends;
    while (at < chunk.length) {
      if (left === 0) {
        header.push(chunk[at] as number);
        at += 1;
        const length = frameLength(header);
        if (length === undefined) continue;
        left = length - header.length;
        header = [];
      } else {
        const part = Math.min(left, chunk.length - at);
        left -= part;
        at += part;
      }
      if (left === 0) ends.push(at);
    }
    return ends;
  };
}
