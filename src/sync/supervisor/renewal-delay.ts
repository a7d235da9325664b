/** The longest wait between two looks for another token is at least this, in ms: a short reconnect delay makes no storm of them. */
const SLOW = 6000;

/** How long to wait before a token is asked for again that was refused `times` times, in ms: from a sixth of the longest wait up to it. */
export function renewalDelay(times: number, longest: number, random: () => number = Math.random): number {
  const most = Math.max(longest, SLOW);
  return (0.5 + random() / 2) * Math.min(most, (most / 6) * 2 ** Math.min(times, 10));
}
