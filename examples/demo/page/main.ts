import type { DemoSettings } from '../server.js';
import { burst, makeConflict } from './actions.js';
import { showConflict } from './conflict.js';
import { type Device, type DeviceName, openDevice, type Strategy } from './device.js';
import { createDeviceView } from './device-view.js';
import { find } from './dom.js';
import { createEventLog } from './event-log.js';
import { createLineView } from './line-view.js';
import { narrate } from './narrate.js';
import { tabName } from './tab.js';
import { openWire } from './wire.js';

declare global {
  interface Window {
    /** For tests, and for the curious at the console. */
    demo?: { readonly devices: { readonly a: Device; readonly b: Device } };
  }
}

const log = createEventLog(find('.stream ol'));

function showError(error: unknown): void {
  const banner = find('#banner');
  banner.textContent = error instanceof Error ? error.message : String(error);
  banner.hidden = false;
}

async function startDevice(name: DeviceName, tab: string, { transport }: DemoSettings) {
  const key = `demo-strategy-${name}`;
  const strategy = (sessionStorage.getItem(key) ?? 'lastWriteWins') as Strategy;
  let device: Device | undefined;
  const view = createDeviceView({
    name,
    strategy,
    onStrategy(next) {
      sessionStorage.setItem(key, next);
      device?.setStrategy(next).catch(showError);
    },
    onError: showError,
  });
  const line = createLineView(name, (on) => {
    (on ? wire.restore() : wire.cut()).catch((error: unknown) => {
      line.showWire(wire);
      showError(error);
    });
  });
  const wire = await openWire(`${tab}-${name}`, line.showWire);
  device = await openDevice({
    name,
    transport,
    wire,
    strategy,
    store: `demo-${tab}-${name}`,
    onOpen(sync) {
      narrate(name, sync, log);
      view.attach(sync);
      line.showStatus(sync.status);
      sync.events.on('statusChanged', line.showStatus);
      sync.events.on('conflictResolved', ({ conflict, result }) =>
        showConflict(find('#conflict'), { device: name, strategy: device?.strategy ?? strategy, conflict, result }),
      );
    },
  });
  return { device, view };
}

async function start(): Promise<void> {
  const settings = (await (await fetch('/demo.json')).json()) as DemoSettings;
  find('#backend').textContent = settings.backend;
  const tab = await tabName();
  const [a, b] = await Promise.all([startDevice('A', tab, settings), startDevice('B', tab, settings)]);

  const outcome = find('#outcome');
  const buttons = [
    { button: find<HTMLButtonElement>('#make-conflict'), run: makeConflict, busy: 'Making a conflict' },
    { button: find<HTMLButtonElement>('#burst'), run: burst, busy: 'Saving on A while B is cut off' },
  ];
  const setBusy = (busy: boolean): void => {
    for (const { button } of buttons) button.ariaDisabled = String(busy);
    for (const { view } of [a, b]) view.busy = busy;
  };
  for (const { button, run, busy } of buttons)
    button.addEventListener('click', () => {
      if (button.ariaDisabled === 'true') return;
      setBusy(true);
      outcome.textContent = `${busy}\u2026`;
      run(a.device, b.device)
        .then((text) => {
          outcome.textContent = text;
        }, showError)
        .finally(() => setBusy(false));
    });
  window.demo = { devices: { a: a.device, b: b.device } };
}

start().catch(showError);
