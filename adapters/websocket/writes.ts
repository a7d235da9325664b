import { LONGEST_TIMER, type OutgoingChange, type PushResult } from '../../src/adapter-kit/kit.js';
import { problem } from './errors.js';
import { type Answer, byteLength, toResults, toWrite } from './normalize.js';

/** A write on its way: JSON text, and its size in bytes. */
export interface Frame {
  readonly opId: string;
  readonly text: string;
  readonly size: number;
}

/** Sends frames, and gives the answer to each; undefined: none came, though others did. Rejects if none did. */
export type Deliver = (frames: readonly Frame[], signal: AbortSignal) => Promise<(Answer | undefined)[]>;

/** How long to wait where the server does not say, in ms. */
const RATE_LIMIT_PAUSE = 1000;

const pause = (delay: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(problem('CLOSED', 'The push was given up.'));
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      },
      Math.min(delay, LONGEST_TIMER),
    );
    signal.addEventListener('abort', onAbort, { once: true });
  });

const waitFor = (answer: Answer | undefined): number | undefined =>
  answer?.type === 'error' && answer.code === 'RATE_LIMIT_EXCEEDED'
    ? (answer.metadata?.retryAfter ?? RATE_LIMIT_PAUSE)
    : undefined;

/** Sends all frames; those that the rate limit refused go again, a few at a time, for as long as it takes. */
async function deliverAll(
  frames: readonly Frame[],
  deliver: Deliver,
  signal: AbortSignal,
): Promise<Map<string, Answer | undefined>> {
  const answers = new Map<string, Answer | undefined>();
  let queue = frames;
  for (let count = frames.length; queue.length > 0; ) {
    const part = queue.slice(0, count);
    const replies = await deliver(part, signal);
    const refused = part.filter((_, index) => waitFor(replies[index]) !== undefined);
    for (const [index, { opId }] of part.entries()) answers.set(opId, replies[index]);
    queue = [...refused, ...queue.slice(count)];
    if (refused.length > 0) await pause(Math.max(...replies.map((reply) => waitFor(reply) ?? 0)), signal);
    count = refused.length > 0 ? 1 : count * 2;
  }
  return answers;
}

/** Pushes to a server that counts changes. A write larger than `maxPayload` bytes is refused here. */
export async function pushWrites(
  changes: readonly OutgoingChange[],
  maxPayload: number,
  deliver: Deliver,
  signal: AbortSignal,
): Promise<PushResult[]> {
  const frames = changes.map((change): Frame => {
    const text = JSON.stringify(toWrite(change));
    return { opId: change.opId, text, size: byteLength(text) };
  });
  const sent = frames.filter(({ size }) => size <= maxPayload);
  const answers = await deliverAll(sent, deliver, signal);
  const results = toResults(sent.map(({ opId }) => answers.get(opId)));
  return changes.map(({ collection, recordId }, index): PushResult => {
    const size = frames[index]?.size ?? 0;
    const result = size <= maxPayload ? results.shift() : undefined;
    if (result) return result;
    const what = `${collection}/${recordId} makes a frame of ${size} bytes; the server takes ${maxPayload}.`;
    const fix = 'Store large values elsewhere and keep their address, or raise maxPayload on both sides.';
    return { type: 'rejected', error: problem('PUSH_REJECTED', `${what} ${fix}`) };
  });
}
