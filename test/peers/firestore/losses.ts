import type { TcpProxy } from '../../../src/testing/index.js';

/** A way to lose a line, and how it comes back. */
export interface Loss {
  readonly how: string;
  begin(line: TcpProxy): Promise<void> | void;
  end(line: TcpProxy): Promise<void> | void;
}

export const losses: readonly Loss[] = [
  {
    how: 'ended (FIN), and refused until it is back',
    async begin(line) {
      await line.refuse();
      line.cut();
    },
    end: (line) => line.accept(),
  },
  {
    how: 'reset (RST), and refused until it is back',
    async begin(line) {
      await line.refuse();
      line.cut({ reset: true });
    },
    end: (line) => line.accept(),
  },
  {
    how: 'half open: nothing passes and nobody is told, then all goes on',
    begin: (line) => line.set({ blackHole: true }),
    end: (line) => line.set({ blackHole: false }),
  },
  {
    how: 'half open, then reset',
    begin: (line) => line.set({ blackHole: true }),
    end(line) {
      line.cut({ reset: true });
      line.set({ blackHole: false });
    },
  },
];
