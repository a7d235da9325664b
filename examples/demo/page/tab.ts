const KEY = 'demo-tab';
const newName = (): string => crypto.randomUUID().slice(0, 8);

/** How long the page that was here before a reload may take to let go, ms. */
const PATIENCE = 2_000;

/** Takes the tab's name for as long as the page lives; false if another tab has it. */
function hold(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const taken = () => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    navigator.locks
      .request(`synclayer-demo:${name}`, { signal: AbortSignal.timeout(PATIENCE) }, taken)
      .catch(() => resolve(false));
  });
}

/**
 * This tab's name, by which its stores and wires differ from those of other tabs. It outlives a reload. A duplicated tab
 * starts with the name of the first one, and gets its own.
 */
export async function tabName(): Promise<string> {
  let name = sessionStorage.getItem(KEY) ?? newName();
  while (!(await hold(name))) name = newName();
  sessionStorage.setItem(KEY, name);
  return name;
}
