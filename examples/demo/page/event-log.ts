import type { DeviceName } from './device.js';
import { element, formatCount, formatTime, onFrame } from './dom.js';

export type EventKind =
  | 'insert'
  | 'update'
  | 'delete'
  | 'edit'
  | 'sent'
  | 'refused'
  | 'conflict'
  | 'resolved'
  | 'connected'
  | 'disconnected'
  | 'caught up'
  | 'retry'
  | 'error';

export interface LoggedEvent {
  readonly device: DeviceName;
  readonly kind: EventKind;
  /** Which record, where it is about one. */
  readonly recordId?: string;
  readonly text: string;
}

export interface EventLog {
  add(event: LoggedEvent): void;
}

interface Line extends LoggedEvent {
  /** ms since 1970 */
  readonly time: number;
  readonly count: number;
}

/** Lines that are kept. */
const LINES = 200;
/** Of one kind and device in one frame; more become a single line with their number. */
const SINGLE = 8;

/** A line that the next one like it only counts up: bulk, and attempts that go on failing. */
const isCounter = ({ kind, count }: Line): boolean => count > 1 || kind === 'retry';

function draw({ device, kind, recordId = '', text, time, count }: Line): HTMLLIElement {
  const line = element('li', `kind-${kind.replace(' ', '-')}`);
  line.dataset.device = device;
  line.dataset.kind = kind;
  const clock = element('time', '', formatTime(time));
  clock.dateTime = new Date(time).toISOString();
  const badge = element('span', 'badge', element('span', 'visually-hidden', 'Device '), device);
  const label = element('span', 'kind', kind);
  const id = element('code', 'record', count > 1 ? '' : recordId.slice(0, 6));
  const what = element('span', 'what', count > 1 ? `${text && `${text} `}× ${formatCount(count)}` : text);
  what.title = [recordId, text].filter(Boolean).join('  ');
  line.append(clock, badge, label, id, what);
  return line;
}

/**
 * The stream of events, newest first. It costs one drawing per frame, and what is waiting for it is bounded too: ten
 * thousand events in a hidden tab are a few counters.
 */
export function createEventLog(list: HTMLElement): EventLog {
  const lines: { line: Line; drawn: HTMLElement }[] = [];
  const incoming = new Map<string, { readonly first: Line[]; count: number }>();

  function put(line: Line): void {
    const at = lines.findIndex((other) => other.line.device === line.device);
    const last = lines[at]?.line;
    const counts = last?.kind === line.kind && isCounter(last) && isCounter(line);
    if (counts) lines.splice(at, 1)[0]?.drawn.remove();
    const next = counts ? { ...line, count: last.count + line.count } : line;
    const drawn = draw(next);
    lines.unshift({ line: next, drawn });
    list.prepend(drawn);
    for (const { drawn: old } of lines.splice(LINES)) old.remove();
  }

  const flush = onFrame(() => {
    const groups = [...incoming.values()];
    incoming.clear();
    for (const { first, count } of groups) {
      const [line] = first;
      if (line && count > SINGLE) put({ device: line.device, kind: line.kind, time: line.time, text: '', count });
      else for (const each of first) put(each);
    }
  });

  return {
    add(event) {
      const key = `${event.device} ${event.kind}`;
      const group = incoming.get(key) ?? { first: [], count: 0 };
      incoming.set(key, group);
      group.count++;
      if (group.first.length < SINGLE) group.first.push({ ...event, time: Date.now(), count: 1 });
      flush();
    },
  };
}
