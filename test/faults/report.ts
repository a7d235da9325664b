import { writeSync } from 'node:fs';

/** Written at once: a line that waits in this process would die with it. A full pipe is tried again. */
export function report(text: string): void {
  for (;;) {
    try {
      writeSync(1, text);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
