/** Counts the timers and sockets of a page: a browser tells nobody. Imported before anything that could make one. */
const timers = new Set<unknown>();
const sockets = new Set<WebSocket>();
const later = globalThis.setTimeout.bind(globalThis);
const { clearTimeout: clear, setInterval: repeat, clearInterval: clearRepeat, WebSocket: Socket } = globalThis;

globalThis.setTimeout = ((work: () => void, ms?: number) => {
  const timer = later(() => {
    timers.delete(timer);
    work();
  }, ms);
  timers.add(timer);
  return timer;
}) as typeof setTimeout;
globalThis.clearTimeout = ((timer) => {
  timers.delete(timer);
  clear(timer);
}) as typeof clearTimeout;
globalThis.setInterval = ((work: () => void, ms?: number) => {
  const timer = repeat(work, ms);
  timers.add(timer);
  return timer;
}) as typeof setInterval;
globalThis.clearInterval = ((timer) => {
  timers.delete(timer);
  clearRepeat(timer);
}) as typeof clearInterval;
globalThis.WebSocket = class extends Socket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    sockets.add(this);
    this.addEventListener('close', () => sockets.delete(this));
  }
};

/** Without being counted itself. */
export const pass = (ms: number): Promise<void> => new Promise((resolve) => later(resolve, ms));

export const handles = (): readonly string[] => [
  ...Array.from(timers, () => 'timer'),
  ...Array.from(sockets, () => 'socket'),
];
