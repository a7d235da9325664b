import * as z from 'zod/mini';

/** What both devices and the server keep. The id is SyncLayer's. */
export const todo = z.object({
  text: z.string().check(z.minLength(1), z.maxLength(500)),
  done: z.boolean(),
  /**
   * ms since 1970; a burst counts on in fractions, so that the order of its todos is theirs. It is not called `createdAt`,
   * which on AppSync is the server's.
   */
  addedAt: z.number(),
});

export type Todo = z.infer<typeof todo>;
