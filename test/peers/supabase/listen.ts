import type { RealtimePostgresChangesPayload, SupabaseClient } from '@supabase/supabase-js';

export type Payload = RealtimePostgresChangesPayload<Record<string, unknown>>;

/** A bare supabase-js listener of one table. */
export interface Listener {
  readonly events: readonly Payload[];
  /** Every `system` message so far. */
  readonly system: readonly { readonly status: string; readonly message: string }[];
  /** Resolves when there are so many events, in order. */
  received(count: number): Promise<readonly Payload[]>;
  /** Resolves when there are so many `system` messages. */
  announced(count: number): Promise<Listener['system'][number]>;
}

/** Subscribes, and resolves when the server says that it is live, or that it will never be. */
export async function listen(
  client: SupabaseClient,
  binding: { readonly table: string; readonly filter?: string; readonly event?: '*' },
  name = binding.table,
): Promise<Listener> {
  const events: Payload[] = [];
  const system: Listener['system'][number][] = [];
  const waiting = new Set<() => void>();
  const until = (reached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!reached()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const look = (): void => {
    for (const each of [...waiting]) each();
  };
  client
    .channel(name)
    .on('postgres_changes', { event: '*', schema: 'public', ...binding }, (payload) => {
      events.push(payload);
      look();
    })
    .on('system', {}, (message) => {
      system.push(message);
      look();
    })
    .subscribe();
  await until(() => system.length > 0);
  return {
    events,
    system,
    received: async (count) => {
      await until(() => events.length >= count);
      return events;
    },
    announced: async (count) => {
      await until(() => system.length >= count);
      return system[count - 1] ?? { status: '', message: '' };
    },
  };
}
