import type { Conflict, Row } from '../../../src/index.js';
import type { DeviceName, Strategy } from './device.js';
import { copyOf, element, find, formatTime } from './dom.js';

export interface ShownConflict {
  readonly device: DeviceName;
  readonly strategy: Strategy;
  readonly conflict: Conflict;
  readonly result: Row | null;
}

const field = (row: Row, name: string): string =>
  name === 'done' ? (row.done === true ? 'done' : 'not done') : String(row[name]);

/** What a side says about the fields in question; about the whole todo, if one side deleted it. */
function value(row: Row | null, fields: readonly string[]): string {
  if (row === null) return 'deleted';
  return (fields.length > 0 ? fields : ['text']).map((name) => field(row, name)).join(', ');
}

/** Whose value was kept; `merged` if it is something of both. */
function winner({ local, remote, fields }: Conflict, result: Row | null): 'local' | 'remote' | 'merged' {
  const agrees = (side: Row | null): boolean =>
    side === null || result === null ? side === result : fields.every((name) => side[name] === result[name]);
  return agrees(local) ? 'local' : agrees(remote) ? 'remote' : 'merged';
}

/** In one line, for the log. */
export const describeConflict = ({ base, local, remote, fields }: Conflict): string =>
  `here “${value(local, fields)}”, backend “${value(remote, fields)}”, base ${base ? `“${value(base, fields)}”` : 'none'}`;

const strategyNames: Readonly<Record<Strategy, string>> = {
  lastWriteWins: 'Last write wins',
  serverWins: 'Server wins',
  clientWins: 'Client wins',
};

/** Shows a conflict as it was resolved: where both began, what each made of it, and which was kept. */
export function showConflict(section: HTMLElement, { device, strategy, conflict, result }: ShownConflict): void {
  const { base, local, remote, fields } = conflict;
  const won = winner(conflict, result);
  const copy = copyOf('conflict-template');
  find('h2', copy).textContent = `Conflict, resolved on device ${device}`;
  const kept = {
    local: `device ${device}’s edit is kept`,
    remote: 'the backend’s row is kept',
    merged: 'both are kept',
  };
  find('header p', copy).textContent = `${strategyNames[strategy]}: ${kept[won]}.`;
  const time = element('time', '', formatTime(Date.now()));
  find('header', copy).append(time);

  const { localTimestamp, remoteTimestamp, remoteEditedAt } = conflict;
  const times: Readonly<Record<string, string | undefined>> = {
    local: `edited ${formatTime(localTimestamp)}`,
    // Where the backend does not keep when an edit was made, last write wins has only when it was committed.
    remote:
      remoteTimestamp === undefined
        ? undefined
        : `${remoteEditedAt === undefined ? 'committed' : 'edited'} ${formatTime(remoteTimestamp)}`,
  };
  const add = (name: string, text: string, side: string) => {
    const term = element('dt', side, name);
    const definition = element('dd', side, element('span', 'value', text));
    const when = times[side];
    if (when !== undefined) definition.append(element('span', 'when', when));
    if (side === won) definition.append(element('span', 'kept', 'kept'));
    find('dl', copy).append(term, definition);
  };
  add('Base', base ? value(base, fields) : 'none', 'base');
  add(`Device ${device}`, value(local, fields), 'local');
  add('Backend', value(remote, fields), 'remote');
  if (won === 'merged') add('Together', value(result, fields), 'merged');

  section.replaceChildren(copy);
  section.hidden = false;
}
