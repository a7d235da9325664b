import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const page = readFileSync('docs/custom-transport.md', 'utf8');
const unindented = (text: string): string => text.replace(/^[ \t]+/gm, '');
const excerpts = [...page.matchAll(/<!-- from (\S+) -->\n```ts\n(.*?)```/gs)].map(([, file = '', code = '']) => ({
  file,
  code,
}));

test('what docs/custom-transport.md shows of the example is there word for word', () => {
  expect(excerpts.length).toBeGreaterThan(8);
  for (const { file, code } of excerpts)
    expect(unindented(readFileSync(file, 'utf8')), `${file} lacks\n${code}`).toContain(unindented(code));
});

test('every file that it links to exists', () => {
  const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((path) => !existsSync(join('docs', path)))).toEqual([]);
});
