import { expect, test } from 'vitest';
import { stampOfMs } from '../../../adapters/firestore/normalize.js';
import { beginningOf, cursorAfter, cursorOf, type TimeCursor } from '../../../adapters/firestore/reads.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const OVERLAP = 10_000;
const ago = (ms: number): string => stampOfMs(NOW - ms);

/** The cursor behind a page with these stamps, asked for at `asked` by the server's clock. */
function after(
  cursor: TimeCursor | undefined,
  stamps: readonly string[],
  { asked = NOW, start = true, device = NOW, told = true } = {},
): TimeCursor | undefined {
  const at = stamps.at(-1);
  const facts = {
    last: at === undefined ? undefined : { at, id: `id of ${at}` },
    stamps,
    asked: told ? asked : undefined,
    device,
  };
  return cursorAfter(cursor, facts, start, OVERLAP);
}

test('a burst is not read again once it is older than a late commit can be', () => {
  const burst = ago(60_000);
  const cursor = after(undefined, [burst]);
  expect(beginningOf(cursor, true)).toEqual({ after: cursor });
  // Nothing new: so it stays.
  expect(beginningOf(after(cursor, []), true)).toMatchObject({ after: { at: burst } });
});

test('near the newest time a catch-up goes back by the overlap', () => {
  const cursor = after(undefined, [ago(60_000), ago(3000)]);
  expect(beginningOf(cursor, true)).toEqual({ from: ago(OVERLAP) });
  expect(beginningOf(cursor, false)).toEqual({ after: cursor });
  expect(beginningOf(after(cursor, [ago(3000)], { asked: NOW + 20_000 }), true)).toHaveProperty('after');
});

test('what is committed while many pages are read is read by the next catch-up', () => {
  const first = after(undefined, [ago(60_000)]);
  const last = after(first, [ago(-100_000)], { asked: NOW + 120_000, start: false });
  expect(beginningOf(last, true)).toEqual({ from: ago(OVERLAP) });
});

test('an interrupted catch-up goes on where it stood', () => {
  const begun = after(undefined, [ago(3_600_000)]);
  expect(beginningOf(begun, true)).toEqual({ after: begun });
});

test('a stamp from the future hides none of the present, whatever the clock of the device says', () => {
  const future = ago(-3_600_000);
  const device = NOW + 3_600_000;
  const cursor = after(undefined, [ago(60_000), future], { device });
  expect(cursor?.at).toBe(future);
  expect(beginningOf(cursor, true)).toEqual({ from: ago(OVERLAP) });
  expect(beginningOf(after(cursor, [future], { device }), true)).toEqual({ from: ago(OVERLAP) });
});

test('where the server does not tell its time, the newest stamp that is not in the future counts', () => {
  const cursor = after(undefined, [ago(60_000), ago(50_000), ago(-3_600_000)], { told: false });
  expect(beginningOf(cursor, true)).toEqual({ from: ago(50_000 + OVERLAP) });
  expect(beginningOf(after(cursor, [ago(60_000)], { told: false }), true)).toEqual({
    from: ago(50_000 + OVERLAP),
  });
});

test('a stored cursor is read back; one of an earlier release goes back from its newest stamp; another is the beginning', () => {
  const cursor = after(undefined, [ago(3000)]) as TimeCursor;
  expect(cursorOf(JSON.parse(JSON.stringify(cursor)), OVERLAP)).toEqual(cursor);
  const earlier = { at: ago(3000), id: 'a', max: ago(3000) };
  expect(cursorOf(earlier, OVERLAP)).toEqual({ at: ago(3000), id: 'a', next: ago(3000 + OVERLAP) });
  for (const strange of [null, 5, 'x', { seq: 1 }, { at: 'x', id: 'a', next: 'y' }])
    expect(cursorOf(strange, OVERLAP)).toBeUndefined();
  expect(after(undefined, [])).toBeUndefined();
});
