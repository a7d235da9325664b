import type { SyncStatus } from '../../../src/index.js';
import type { DemoSync, DeviceName, Strategy } from './device.js';
import { copyOf, find, formatCount, onFrame } from './dom.js';
import { createTodoList, type TodoRow } from './todo-list.js';

/** Rows on the page; the others are counted. */
const SHOWN = 100;
/** More unsent edits than this are not marked one by one. */
const MARKED = 500;
/** More arrivals in one frame than this are no news of a single row. */
const NEWS = 10;

const phases: Readonly<Record<SyncStatus['phase'], string>> = {
  live: 'Live',
  syncing: 'Syncing',
  polling: 'Polling',
  offline: 'Offline',
  'needs-auth': 'Sign-in needed',
  failed: 'Failed',
  paused: 'Paused',
  closed: 'Closed',
};

export interface DeviceViewOptions {
  readonly name: DeviceName;
  readonly strategy: Strategy;
  readonly onStrategy: (strategy: Strategy) => void;
  /** An edit that could not be made. */
  readonly onError: (error: unknown) => void;
}

/** A device's card: its state, its todos, and what can be done to them. */
export function createDeviceView({ name, strategy, onStrategy, onError }: DeviceViewOptions) {
  const card = find(`.device[data-device="${name}"]`);
  card.append(copyOf('device-template'));
  const heading = find('h2', card);
  heading.id = `device-${name}-title`;
  card.setAttribute('aria-labelledby', heading.id);
  find('.badge', card).textContent = name;
  find('.name', card).textContent = name;
  find('.badge', card).ariaHidden = 'true';
  find('.todos', card).ariaLabel = `Todos on device ${name}`;

  const phase = find('.phase', card);
  const pending = find('.pending', card);
  const count = find('.count', card);
  const empty = find('.empty', card);
  const select = find('select', card) as HTMLSelectElement;
  const input = find('.add input', card) as HTMLInputElement;
  input.ariaLabel = `New todo on device ${name}`;
  select.ariaLabel = `On conflict, device ${name}`;
  select.value = strategy;
  select.addEventListener('change', () => onStrategy(select.value as Strategy));

  let sync: DemoSync | undefined;
  let rows: readonly TodoRow[] = [];
  let loading = true;
  const arrived = new Set<string>();
  const none: ReadonlySet<string> = new Set();

  const edit = (work: (todos: ReturnType<typeof todosOf>) => Promise<unknown>): void => {
    if (sync) work(todosOf(sync)).catch(onError);
  };
  const todosOf = (client: DemoSync) => client.collection('todos');

  find('form', card).addEventListener('submit', (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === '') return;
    input.value = '';
    edit((todos) => todos.save({ text, done: false, addedAt: Date.now() }));
  });
  const list = createTodoList(find('.todos', card), {
    tick: (id, done) => edit((todos) => todos.update(id, { done })),
    rename: (id, text) => edit((todos) => todos.update(id, { text })),
    remove: (id) => edit((todos) => todos.delete(id)),
  });

  const draw = onFrame(() => {
    if (!sync) return;
    const { status } = sync;
    const total = sync.inspect().collections.todos?.rows ?? 0;
    card.dataset.phase = status.phase;
    if (phase.textContent !== phases[status.phase]) phase.textContent = phases[status.phase];
    pending.hidden = status.pending === 0;
    pending.textContent = `${formatCount(status.pending)} pending`;
    empty.hidden = rows.length > 0;
    empty.textContent = loading ? 'Waiting for the first sync.' : 'Nothing to do.';
    count.textContent =
      total > rows.length
        ? `${formatCount(total)} todos, the newest ${formatCount(rows.length)} shown`
        : total === 1
          ? '1 todo'
          : `${formatCount(total)} todos`;
    const unsent = status.pending <= MARKED ? sync.outbox.pending().map(({ recordId }) => recordId) : [];
    list.render(rows, new Set(unsent), arrived.size > NEWS ? none : arrived);
    arrived.clear();
  });

  return {
    /** Shows this client from now on. */
    attach(client: DemoSync): void {
      sync = client;
      const note = ({ recordId }: { readonly recordId: string }) => {
        if (!loading && arrived.size <= NEWS) arrived.add(recordId);
      };
      client.events.on('remoteInsert', note);
      client.events.on('remoteUpdate', note);
      client.events.on('statusChanged', draw);
      todosOf(client)
        .orderBy('addedAt', 'desc')
        .limit(SHOWN)
        .watch((next, info) => {
          rows = next;
          loading = info.loading;
          draw();
        });
      draw();
    },
    /** While a demonstration runs, the strategy stays. */
    set busy(busy: boolean) {
      select.disabled = busy;
    },
  };
}
