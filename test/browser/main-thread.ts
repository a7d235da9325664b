import type { Page } from 'playwright-core';

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds by the clock. */
  readonly dur?: number;
  /** Microseconds of the thread's own CPU time. */
  readonly tdur?: number;
  readonly args: { readonly name?: string };
}

/**
 * Runs `work`, and tells how long the busiest task of the page's main thread took, ms. CPU time, not the clock's: a task
 * that waits because the machine has other things to do says nothing about the page. (The `longtask` entries of a page
 * cannot tell the two apart.) The thread's clock is coarse on some systems, so a task is never taken for longer than it
 * was by the wall's. `all`: what all tasks took together. Of a machine that is slow, or busy, both are longer: what is compared is
 * the share.
 */
export async function busiestTask<T>(
  page: Page,
  work: () => Promise<T>,
): Promise<{ result: T; busiest: number; all: number }> {
  const browser = page.context().browser();
  if (!browser) throw new Error('The page has no browser to trace.');
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  let result: T;
  let trace: { traceEvents: TraceEvent[] };
  try {
    result = await work();
  } finally {
    trace = JSON.parse((await browser.stopTracing()).toString());
  }
  const thread = ({ pid, tid }: TraceEvent): string => `${pid}:${tid}`;
  const main = new Set(
    trace.traceEvents
      .filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain')
      .map((event) => thread(event)),
  );
  const tasks = trace.traceEvents.filter(
    (event) => event.ph === 'X' && event.name === 'ThreadControllerImpl::RunTask' && main.has(thread(event)),
  );
  if (tasks.length === 0) throw new Error('The trace holds no task of a main thread.');
  const times = tasks.map(({ dur = 0, tdur = dur }) => Math.min(dur, tdur) / 1000);
  const all = times.reduce((sum, time) => sum + time, 0);
  return { result, busiest: times.reduce((most, time) => Math.max(most, time), 0), all };
}
