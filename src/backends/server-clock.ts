/** The server's clock, in ms. `Date` has seconds only: our own time is taken where it fits into that second. */
export function serverClock(response: Response, sentAt: number): number | undefined {
  const second = Date.parse(response.headers.get('date') ?? '');
  const guess = (sentAt + Date.now()) / 2;
  return Number.isNaN(second) ? undefined : Math.min(Math.max(guess, second), second + 999);
}
