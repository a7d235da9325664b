import type { WebSocket } from 'ws';
import type { Outlet } from './outlet.js';

/** What comes in from one client: handled one message after another, however long one takes. */
export interface Inbox {
  receive(text: string): void;
  /** Messages wait until this is done. */
  hold(task: Promise<void>): void;
}

/** So many messages may wait, or so much text, before the socket is read no further. */
const MAX_WAITING = 256;
const MAX_WAITING_LENGTH = 1_048_576;

export function createInbox(
  ws: WebSocket,
  outlet: Outlet,
  handle: (text: string) => void | Promise<void>,
  onError: (error: unknown) => void,
): Inbox {
  const waiting: string[] = [];
  let waitingLength = 0;
  let busy = false;

  function take(text: string): void | Promise<void> {
    try {
      return handle(text);
    } catch (error) {
      onError(error);
    }
  }

  async function work(first: void | Promise<void>): Promise<void> {
    busy = true;
    let step = first;
    for (;;) {
      await step?.catch(onError);
      // Who does not read the answers is not asked for more questions.
      await outlet.congestion();
      const text = waiting.shift();
      waitingLength -= text?.length ?? 0;
      if (text === undefined || !outlet.isOpen()) break;
      step = take(text);
    }
    busy = false;
    if (ws.isPaused) ws.resume();
  }

  return {
    hold(task) {
      void work(task);
    },
    receive(text) {
      if (busy) {
        waiting.push(text);
        waitingLength += text.length;
        if (waiting.length >= MAX_WAITING || waitingLength >= MAX_WAITING_LENGTH) ws.pause();
        return;
      }
      const step = take(text) ?? outlet.congestion();
      if (step !== undefined) void work(step);
    },
  };
}
