import { type Device, isLive, isOffline } from './device.js';
import { formatCount, formatTime } from './dom.js';

const BURST = 500;

const cut = async (device: Device): Promise<void> => {
  await device.wire.cut();
  await device.until(isOffline);
};
const restore = async (device: Device): Promise<void> => {
  await device.wire.restore();
  await device.until(isLive);
};
const todosOf = ({ sync }: Device) => sync.collection('todos');

/** What an earlier conflict put behind the text. */
const EDITED = / \([AB], [\d:.]+\)$/;

/** Resolves once a device has this todo. */
async function arrival(device: Device, id: string): Promise<void> {
  for await (const rows of todosOf(device).where('id', '==', id).watch()) if (rows.length > 0) return;
}

/**
 * Edits the newest todo on both devices while neither can know of the other. A's edit reaches the backend first, so it
 * is B that meets the conflict and resolves it. Returns what to tell.
 */
export async function makeConflict(a: Device, b: Device): Promise<string> {
  await Promise.all([restore(a), restore(b)]);
  const newest = await todosOf(a).orderBy('addedAt', 'desc').first();
  const id = newest?.id ?? (await todosOf(a).save({ text: 'Buy milk', done: false, addedAt: Date.now() }));
  const text = newest?.text.replace(EDITED, '') ?? 'Buy milk';
  await arrival(b, id);
  await Promise.all([cut(a), cut(b)]);
  for (const device of [a, b])
    await todosOf(device).update(id, { text: `${text} (${device.name}, ${formatTime(Date.now())})` });
  await restore(a);
  await restore(b);
  return 'Both edited while apart. A was back first, so B had to resolve.';
}

/** Saves many todos on A while B is cut off, then lets B have them. Returns how long each took. */
export async function burst(a: Device, b: Device): Promise<string> {
  await cut(b);
  const start = performance.now();
  const now = Date.now();
  await todosOf(a).saveMany(
    Array.from({ length: BURST }, (_, index) => ({
      text: `Burst ${formatTime(now).slice(0, 8)}, todo ${index + 1}`,
      done: false,
      addedAt: now + index / BURST,
    })),
  );
  const saved = performance.now();
  await restore(a);
  const sent = performance.now();
  await restore(b);
  const took = (from: number, to = performance.now()): string => `${formatCount(Math.round(to - from))} ms`;
  return `${BURST} todos: on A’s disk in ${took(start, saved)}, acknowledged after ${took(saved, sent)}; on B ${took(sent)} after its wire was restored.`;
}
