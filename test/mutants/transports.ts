import type { Change } from '../../src/base/change.js';
import { SyncLayerError } from '../../src/base/errors.js';
import type { MemoryTransportOptions, MemoryWire } from '../../src/testing/index.js';
import type { Cursor, OutgoingChange, RealtimeTransport } from '../../src/transport/transport.js';

/** A transport with one mistake that a real adapter was seen to make, or that is easily made. */
export interface TransportMutant {
  readonly name: string;
  /** The backend that shows it; default: a sequence with tombstones. */
  readonly kind?: Omit<MemoryTransportOptions, 'backend'>;
  breaks(transport: RealtimeTransport, wire: MemoryWire): RealtimeTransport;
}

const onChange = (
  transport: RealtimeTransport,
  deliver: (change: Change, pass: (change: Change) => void) => void,
): RealtimeTransport => ({
  ...transport,
  subscribe: (request, sink) =>
    transport.subscribe(request, {
      ...sink,
      live: () => sink.live(),
      change: (change) => deliver(change, (next) => sink.change(next)),
    }),
});

export const SEQUENCE = { cursor: 'sequence', deletes: 'tombstones' } as const;
const HARD = { cursor: 'sequence', deletes: 'none' } as const;
const TIMED = { cursor: 'timestamp', deletes: 'none' } as const;

export const transportMutants: readonly TransportMutant[] = [
  {
    name: 'a join is taken for live',
    breaks: (transport) => {
      let joined = false;
      const mutant = onChange(transport, (change, pass) => joined && pass(change));
      return {
        ...mutant,
        subscribe(request, sink) {
          setTimeout(() => {
            joined = true;
          }, 30);
          return mutant.subscribe(request, sink);
        },
      };
    },
  },
  {
    name: 'a live event moves the cursor',
    breaks: (transport) => {
      let newest = 0;
      const mutant = onChange(transport, (change, pass) => {
        newest = Math.max(newest, Number(change.version));
        pass(change);
      });
      return {
        ...mutant,
        async pull(request) {
          const after = (request.cursor as { after?: number } | null)?.after ?? 0;
          return transport.pull({ ...request, cursor: { after: request.start ? Math.max(after, newest) : after } });
        },
      };
    },
  },
  {
    name: 'versions count deliveries, not commits',
    breaks: (transport) => {
      let count = 1_000_000;
      return onChange(transport, (change, pass) => pass({ ...change, version: ++count }));
    },
  },
  {
    name: 'a partial event is passed on as the whole row',
    breaks: (transport, wire) => {
      wire.partialFields = ['count'];
      return onChange(transport, ({ ...change }, pass) => {
        if (change.type === 'update') delete (change as { partial?: true }).partial;
        pass(change);
      });
    },
  },
  {
    name: 'an error ends the list of keys as if it were complete',
    kind: HARD,
    breaks: (transport) => ({
      ...transport,
      async *keys(collection, options) {
        try {
          await transport.pull({ collection, cursor: null, start: true, limit: 1, signal: options.signal });
          yield* transport.keys?.(collection, options) ?? [];
        } catch {
          // Nothing: what was listed so far is all there is.
        }
      },
    }),
  },
  {
    name: 'it says columns, and keeps documents',
    breaks: (transport) => ({ ...transport, values: () => ({ fields: 'columns' }) }),
  },
  {
    name: 'a failed read is an empty snapshot',
    kind: { cursor: 'snapshot', deletes: 'none' },
    breaks: (transport, wire) => {
      const { before } = wire;
      wire.before = () => undefined;
      return {
        ...transport,
        async pull(request) {
          try {
            await before('pull', request);
            return await transport.pull(request);
          } catch {
            return { changes: [], cursor: request.cursor, snapshot: true };
          }
        },
      };
    },
  },
  {
    name: 'a short page ends the pull',
    kind: { cursor: 'sequence', deletes: 'tombstones', pageCap: 100 },
    breaks: (transport) => {
      let short = false;
      return {
        ...transport,
        async pull(request) {
          if (!request.start && short) return { changes: [], cursor: request.cursor as Cursor };
          const page = await transport.pull(request);
          short = page.changes.length < request.limit;
          return page;
        },
      };
    },
  },
  {
    name: 'no overlap: a late commit is behind the cursor',
    kind: { cursor: 'timestamp', deletes: 'tombstones', overlap: 0 },
    breaks: (transport) => transport,
  },
  {
    name: 'keys without versions: a change that a pull misses is never found',
    kind: TIMED,
    breaks: (transport) => ({
      ...transport,
      async *keys(collection, options) {
        for await (const page of transport.keys?.(collection, options) ?? [])
          yield page.map(({ recordId }) => ({ recordId }));
      },
    }),
  },
  {
    name: 'hard deletes that nobody looks for',
    kind: HARD,
    breaks: (transport) => ({ ...transport, keys: undefined }),
  },
  {
    name: 'push overwrites whatever is there',
    breaks: (transport) => ({
      ...transport,
      async push(changes, options) {
        const current = await transport.fetch?.(
          changes[0]?.collection ?? '',
          changes.map(({ recordId }) => recordId),
          options,
        );
        const versions = new Map(
          current?.map((change) => [change.recordId, change.type === 'delete' ? null : change.version]),
        );
        return transport.push(
          changes.map((change) => ({ ...change, baseVersion: versions.get(change.recordId) ?? null })),
          options,
        );
      },
    }),
  },
  {
    name: 'a repeated push counts again, although opIds are said to be known',
    breaks: (transport) => {
      let count = 0;
      const fresh = (change: OutgoingChange): OutgoingChange => ({ ...change, opId: `${change.opId} ${++count}` });
      return {
        ...transport,
        async push(changes, options) {
          const results = await transport.push(changes.map(fresh), options);
          return results.map((result) =>
            result.type === 'conflict'
              ? { type: 'rejected', error: new SyncLayerError('PUSH_REJECTED', 'It is there already.') }
              : result,
          );
        },
      };
    },
  },
  {
    name: 'a refused push is answered with "later"',
    breaks: (transport) => ({
      ...transport,
      push: async (changes, options) =>
        (await transport.push(changes, options)).map((result) =>
          result.type === 'rejected'
            ? { type: 'retry', error: new SyncLayerError('CONNECT_FAILED', 'Try again.') }
            : result,
        ),
    }),
  },
  {
    name: 'the answers to a push come in another order',
    breaks: (transport) => ({
      ...transport,
      push: async (changes, options) => {
        const results = await transport.push(changes, options);
        return results.length > 1 ? [...results.slice(1), ...results.slice(0, 1)] : results;
      },
    }),
  },
  {
    name: 'a lost connection is told to nobody',
    breaks: (transport) => ({
      ...transport,
      subscribe: (request, sink) => {
        let over = false;
        return transport.subscribe(request, {
          live: () => !over && sink.live(),
          gap: (reason) => !over && sink.gap(reason),
          change: (change) => !over && sink.change(change),
          error() {
            over = true;
          },
        });
      },
    }),
  },
  {
    name: 'unsubscribe leaves the subscription open',
    breaks: (transport) => ({
      ...transport,
      subscribe(request, sink) {
        transport.subscribe(request, sink);
        return () => undefined;
      },
    }),
  },
  {
    name: 'a timer outlives close',
    breaks: (transport) => ({
      ...transport,
      async connect(options) {
        await transport.connect(options);
        setInterval(() => undefined, 1000);
      },
    }),
  },
  {
    name: 'ids are trimmed',
    breaks: (transport) => onChange(transport, (change, pass) => pass({ ...change, recordId: change.recordId.trim() })),
  },
  {
    name: 'a cursor that does not survive JSON',
    breaks: (transport) => ({
      ...transport,
      async pull(request) {
        const cursor = request.cursor as { readonly after?: Map<string, number> } | null;
        const after = cursor?.after?.get?.('after');
        const page = await transport.pull({ ...request, cursor: after === undefined ? null : { after } });
        return { ...page, cursor: { after: new Map(Object.entries(page.cursor as object)) } as unknown as Cursor };
      },
    }),
  },
  {
    name: 'fetch gives what it gave before',
    breaks: (transport, wire) => {
      const cache = new Map<string, Change>();
      wire.partialFields = ['count'];
      return {
        ...transport,
        async fetch(collection, ids, options) {
          for (const change of (await transport.fetch?.(collection, ids, options)) ?? [])
            if (!cache.has(change.recordId)) cache.set(change.recordId, change);
          return ids.flatMap((id) => cache.get(id) ?? []);
        },
      };
    },
  },
  {
    name: 'deletes come as updates with an empty row',
    breaks: (transport) =>
      onChange(transport, (change, pass) =>
        pass(change.type === 'delete' ? { ...change, type: 'update', data: { id: change.recordId } } : change),
      ),
  },
  {
    name: 'connect goes on although it was told to stop',
    breaks: (transport) => ({
      ...transport,
      connect: () => transport.connect({ signal: new AbortController().signal }),
    }),
  },
];
