import type { Page } from 'playwright-core';

/** Texts whose contrast with what is behind them is below WCAG AA (4.5 : 1), as `3.1 "text" of .class`. */
export const contrastProblems = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    type Colour = readonly [red: number, green: number, blue: number, alpha: number];
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (!canvas) throw new Error('No canvas.');
    // A canvas reads every notation that a computed style may come in.
    const parse = (colour: string): Colour => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red = 0, green = 0, blue = 0, alpha = 0] = canvas.getImageData(0, 0, 1, 1).data;
      return [red, green, blue, alpha / 255];
    };
    const over = (top: Colour, bottom: Colour): Colour => {
      const mix = (index: 0 | 1 | 2) => top[index] * top[3] + bottom[index] * (1 - top[3]);
      return [mix(0), mix(1), mix(2), 1];
    };
    const behind = (element: Element | null): Colour =>
      element
        ? over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement))
        : [255, 255, 255, 1];
    const luminance = ([red, green, blue]: Colour): number => {
      const [r, g, b] = [red, green, blue].map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one: Colour, other: Colour): number => {
      const [a, b] = [luminance(one), luminance(other)];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    };
    const hasText = (element: Element): boolean =>
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim()) ||
      (element instanceof HTMLInputElement && element.type !== 'checkbox') ||
      element instanceof HTMLSelectElement;

    return [...document.body.querySelectorAll('*')]
      .filter(
        (element) => element.checkVisibility() && !element.closest('.visually-hidden, option') && hasText(element),
      )
      .flatMap((element) => {
        const below = behind(element);
        const styles = [getComputedStyle(element).color];
        if (element instanceof HTMLInputElement) styles.push(getComputedStyle(element, '::placeholder').color);
        const worst = Math.min(...styles.map((style) => contrast(over(parse(style), below), below)));
        const text = element.textContent?.trim() || (element as HTMLInputElement).value;
        return worst < 4.5 ? [`${worst.toFixed(2)} "${text.slice(0, 40)}" of .${element.className}`] : [];
      });
  });
