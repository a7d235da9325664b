/** Looks until it is so; the runner's timeout is the deadline. `state`: what an error is to show. */
export async function until(
  what: string,
  test: () => boolean | Promise<boolean>,
  state: () => unknown = () => '',
): Promise<void> {
  const late = performance.now() + 120_000;
  while (!(await test())) {
    if (performance.now() > late) throw new Error(`Never came true: ${what}. ${JSON.stringify(state())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
