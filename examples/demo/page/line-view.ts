import type { SyncStatus } from '../../../src/index.js';
import type { DeviceName } from './device.js';
import { copyOf, find } from './dom.js';
import type { Wire } from './wire.js';

/** A wire with its switch, as it stands between a device and the backend. */
export function createLineView(name: DeviceName, onSwitch: (on: boolean) => void) {
  const line = find(`.line[data-device="${name}"]`);
  line.append(copyOf('line-template'));
  for (const label of line.querySelectorAll('.name, .end')) label.textContent = name;
  const input = find<HTMLInputElement>('input', line);
  const state = find('.wire-state', line);
  let phase: SyncStatus['phase'] = 'offline';
  let isCut = false;

  function draw(): void {
    input.checked = !isCut;
    line.dataset.state = isCut ? 'cut' : phase === 'live' || phase === 'syncing' ? phase : 'connecting';
    state.textContent = isCut ? 'cut' : line.dataset.state === 'connecting' ? 'reconnecting' : 'connected';
  }

  input.addEventListener('change', () => {
    // Before the server has answered: what else happens meanwhile must not turn the switch back.
    isCut = !input.checked;
    draw();
    onSwitch(input.checked);
  });

  return {
    showWire(wire: Wire): void {
      isCut = wire.isCut;
      draw();
    },
    showStatus(status: SyncStatus): void {
      phase = status.phase;
      draw();
    },
  };
}
