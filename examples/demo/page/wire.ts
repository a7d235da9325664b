import type { WireState } from '../wires.js';

/** A device's line to the backend. */
export interface Wire {
  /** For the transport of createSyncLayer: `http://...`. */
  readonly url: string;
  /** The same as host and port, where the backend's SDK takes no path. */
  readonly address: string | undefined;
  readonly isCut: boolean;
  /** Loses the device's socket, and keeps it from getting another one. */
  cut(): Promise<void>;
  restore(): Promise<void>;
}

/** The wires are in the demo's server; this page only says when to cut. */
export async function openWire(name: string, onChange: (wire: Wire) => void): Promise<Wire> {
  let state: WireState = { cut: false };
  const ask = async (method: 'GET' | 'POST', action = ''): Promise<void> => {
    const response = await fetch(`/wires/${name}${action}`, { method });
    if (!response.ok) throw new Error(`The demo's server answered ${response.status} about wire ${name}.`);
    state = (await response.json()) as WireState;
    onChange(wire);
  };
  const wire: Wire = {
    url: `${location.origin}/wire/${name}`,
    get address() {
      return state.address;
    },
    get isCut() {
      return state.cut;
    },
    cut: () => ask('POST', '/cut'),
    restore: () => ask('POST', '/restore'),
  };
  await ask('GET');
  return wire;
}
