/** A message made ready once for many sockets. */
export interface Prepared {
  readonly text: string;
  /** `text` as a whole WebSocket frame, to be written to a socket as it is. */
  readonly frame: Buffer;
}

/** A text frame from server to client (RFC 6455, 5.2): final, unmasked. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = 0x81;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    frame.writeUInt32BE(length >>> 0, 6);
  }
  frame.write(text, header);
  return frame;
}

export const prepare = (message: object): Prepared => {
  const text = JSON.stringify(message);
  return { text, frame: textFrame(text) };
};
