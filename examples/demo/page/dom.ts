/** The element that a selector finds; its absence is a mistake in index.html. */
export function find<E extends Element = HTMLElement>(selector: string, inside: ParentNode = document): E {
  const element = inside.querySelector<E>(selector);
  if (!element) throw new Error(`The page has no ${selector}.`);
  return element;
}

/** A fresh copy of a template's content. */
export const copyOf = (template: string): DocumentFragment =>
  find<HTMLTemplateElement>(`template#${template}`).content.cloneNode(true) as DocumentFragment;

/** An element with text. Text only: nothing of what users or backends say is ever taken for markup. */
export function element<N extends keyof HTMLElementTagNameMap>(
  name: N,
  className: string,
  ...content: (string | Node)[]
): HTMLElementTagNameMap[N] {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

/** In a storm of changes a picture every so often is enough, and leaves the time to those who make the changes. ms. */
const BETWEEN_DRAWINGS = 80;

const drawings: (() => void)[] = [];

/** One drawing in each frame: two lists and a log at once would be a long frame. */
function drawOne(): void {
  drawings.shift()?.();
  if (drawings.length > 0) requestAnimationFrame(drawOne);
}

/**
 * Calls `draw` in one of the next frames, once however often it was asked for; in a storm less often. A hidden page
 * draws when it is seen again.
 */
export function onFrame(draw: () => void): () => void {
  let asked = false;
  let last = Number.NEGATIVE_INFINITY;
  const enqueue = () => {
    drawings.push(() => {
      asked = false;
      last = performance.now();
      draw();
    });
    if (drawings.length === 1) requestAnimationFrame(drawOne);
  };
  return () => {
    if (asked) return;
    asked = true;
    const wait = last + BETWEEN_DRAWINGS - performance.now();
    if (wait > 0) setTimeout(enqueue, wait);
    else enqueue();
  };
}

const numbers = new Intl.NumberFormat('en');
export const formatCount = (count: number): string => numbers.format(count);

const times = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
});
/** `14:03:22.417` */
export const formatTime = (time: number): string => times.format(time);
