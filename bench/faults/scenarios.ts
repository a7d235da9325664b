import type { BackendEvent, BackendOptions } from './backend.js';
import { asItComes, hardDelete, lateCommit, moved, noWordForLive, ownEcho, unanswered } from './explanations.js';
import type { Stage } from './stage.js';

export interface Scenario {
  readonly name: string;
  readonly options: BackendOptions;
  /** Why RxDB's own WebSocket replication cannot meet it, if so. */
  readonly notWebSocket?: string;
  /** What explains a failure of RxDB's, and what its documentation promises. Printed for those that did fail. */
  readonly why?: { readonly events?: string; readonly resync?: string; readonly webSocket?: string };
  run(stage: Stage): Promise<void>;
}

const counted: BackendOptions = { cursor: 'sequence', deletes: 'tombstones' };

/** Does something now and then, so that events go out one by one. */
async function slowly(times: number, { pause }: Stage, action: (round: number) => unknown): Promise<void> {
  for (let round = 0; round < times; round++) {
    await action(round);
    await pause(2);
  }
}

const change = ({ random, write, remove }: Stage): void => {
  if (random() < 0.1) remove();
  else write();
};

/** Cuts the connection in the middle of something, again and again. */
async function cutWhile(stage: Stage, direction: 'up' | 'down', action: () => unknown): Promise<void> {
  const { backend, random, busyUntil } = stage;
  for (let round = 0; round < 6; round++) {
    const cut = backend.proxy.cutAfter(100 + random() * 3000, { direction, reset: random() < 0.5 });
    await busyUntil(cut, action);
  }
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'no fault',
    options: counted,
    async run(stage) {
      await slowly(100, stage, () => change(stage));
      await slowly(20, stage, async () => {
        await stage.edit();
        await stage.pause(20);
      });
    },
  },
  {
    name: 'no fault; own rows edited quickly, events take 10 ms',
    options: counted,
    why: { events: ownEcho, webSocket: ownEcho },
    async run(stage) {
      const { backend, edit, pause, random } = stage;
      backend.faults.event = (event, send) => void setTimeout(() => send(event), 10);
      for (let round = 0; round < 200; round++) {
        await edit();
        await pause(random() * 12);
      }
    },
  },
  {
    name: 'events lost silently, later ones arrive',
    options: counted,
    why: { events: moved, webSocket: moved },
    async run(stage) {
      stage.backend.faults.event = (event, send) => stage.random() < 0.7 && send(event);
      await slowly(100, stage, () => change(stage));
      stage.backend.faults.event = (event, send) => send(event);
      stage.write('last');
    },
  },
  {
    name: 'events between subscribe and live',
    options: counted,
    why: {
      webSocket: noWordForLive,
    },
    async run(stage) {
      const { backend, away, pause, write } = stage;
      for (let round = 0; round < 3; round++) {
        let grant = (): void => undefined;
        const asked = new Promise<void>((resolve) => {
          backend.faults.subscribe = () => {
            resolve();
            return new Promise((granted) => {
              grant = granted;
            });
          };
        });
        const back = away(() => undefined);
        await Promise.race([asked, pause(3000)]);
        // What is asked at once is answered before these.
        await pause(50);
        await slowly(20, stage, () => change(stage));
        grant();
        await back;
        write(`after-${round}`);
      }
    },
  },
  {
    name: 'every event twice',
    options: counted,
    async run(stage) {
      stage.backend.faults.event = (event, send) => {
        send(event);
        send(event);
      };
      await slowly(100, stage, () => change(stage));
    },
  },
  {
    name: 'a late older event after a newer one',
    options: counted,
    why: { events: asItComes, webSocket: asItComes },
    async run(stage) {
      const { backend, write, random } = stage;
      let held: BackendEvent | undefined;
      backend.faults.event = (event, send) => {
        if (held?.record.id === event.record.id) {
          const late = held;
          held = undefined;
          send(event);
          setTimeout(() => send(late), 5);
        } else held = event;
      };
      await slowly(50, stage, async () => {
        const id = `row-${Math.floor(random() * 200)}`;
        write(id);
        write(id);
        await stage.pause(8);
      });
    },
  },
  {
    name: 'events with only the changed fields',
    options: counted,
    notWebSocket: 'its server sends whole documents',
    async run(stage) {
      stage.backend.faults.event = ({ record, checkpoint }, send) => {
        const { row } = record;
        if (!row) send({ record, checkpoint });
        else send({ record: { ...record, row: { count: row.count } as typeof row }, checkpoint, partial: true });
      };
      await slowly(100, stage, () => change(stage));
    },
  },
  {
    name: 'rows deleted while away, with tombstones',
    options: counted,
    async run({ away, remove, pause }) {
      for (let round = 0; round < 3; round++) {
        await away(() => {
          for (let n = 0; n < 20; n++) remove();
        });
        await pause(50);
      }
    },
  },
  {
    name: 'rows deleted while away, without a trace',
    options: { cursor: 'sequence', deletes: 'none' },
    why: { events: hardDelete, resync: hardDelete, webSocket: hardDelete },
    async run({ away, remove, pause }) {
      for (let round = 0; round < 3; round++) {
        await away(() => {
          for (let n = 0; n < 20; n++) remove();
        });
        await pause(50);
      }
    },
  },
  {
    name: 'commits older than the checkpoint, while away',
    options: { cursor: 'timestamp', deletes: 'tombstones' },
    why: { events: lateCommit, resync: lateCommit, webSocket: lateCommit },
    async run({ away, write, random, pause }) {
      for (let round = 0; round < 3; round++) {
        await away(() => write());
        await pause(50);
        await away(() => {
          for (let n = 0; n < 10; n++) write(`late-${round}-${n}`, 1000 + random() * 7000);
        });
        await pause(50);
      }
    },
  },
  {
    name: 'the connection is cut during pulls',
    options: counted,
    why: { webSocket: unanswered },
    async run(stage) {
      await stage.away(() => {
        for (let n = 0; n < 500; n++) change(stage);
      });
      await cutWhile(stage, 'down', () => change(stage));
    },
  },
  {
    name: 'the connection is cut during pushes',
    options: counted,
    why: { webSocket: unanswered },
    run: (stage) => cutWhile(stage, 'up', stage.edit),
  },
  {
    name: 'pushes are committed, their answers are lost',
    options: counted,
    why: { webSocket: unanswered },
    async run(stage) {
      stage.backend.faults.loseAnswer = () => stage.random() < 0.3;
      await slowly(40, stage, async () => {
        await stage.edit();
        await stage.pause(20);
      });
    },
  },
  {
    name: 'the server restarts',
    options: counted,
    why: { webSocket: unanswered },
    async run(stage) {
      const { backend, edit, pause } = stage;
      for (let round = 0; round < 3; round++) {
        await backend.stop();
        for (let n = 0; n < 20; n++) change(stage);
        await edit();
        await pause(100);
        await backend.start();
        await slowly(20, stage, () => change(stage));
        await pause(100);
      }
    },
  },
  {
    name: 'all of these at random, but for hard deletes',
    options: counted,
    why: { events: `${moved} ${asItComes} ${ownEcho}`, webSocket: `${moved} ${asItComes} ${unanswered}` },
    async run(stage) {
      const { backend, random } = stage;
      backend.faults.loseAnswer = () => random() < 0.1;
      backend.faults.event = (event, send) => {
        const dice = random();
        if (dice < 0.1) return;
        if (dice < 0.2) setTimeout(() => send(event), 20);
        else send(event);
        if (dice > 0.9) send(event);
      };
      await slowly(600, stage, async () => {
        change(stage);
        if (random() < 0.05) await stage.edit();
        if (random() < 0.01) backend.proxy.cut({ reset: random() < 0.5 });
      });
      stage.write('last');
    },
  },
];
