import cliProgress from 'cli-progress';
import type { MigrationEvent } from '../../migrate/types.js';

/** ms between two lines, where nobody watches a bar. */
const LINE_EVERY = 5000;

/** So many seconds, as people say it. */
export function eta(done: number, total: number | undefined, rate: number): string {
  if (total === undefined || rate <= 0 || done > total) return '';
  const seconds = Math.ceil((total - done) / rate);
  return seconds < 120 ? `${seconds} s left` : `${Math.ceil(seconds / 60)} min left`;
}

/** Shows on stderr what goes on: a bar for who watches, else a line now and then. */
export function createProgress(stream: NodeJS.WriteStream) {
  const bar = stream.isTTY
    ? new cliProgress.SingleBar({
        stream,
        format: '{collection} [{bar}] {percentage}% {value}/{total} {rate} rows/s {left}',
        hideCursor: true,
        noTTYOutput: false,
      })
    : undefined;
  let shown: string | undefined;
  let lineAt = 0;

  function end(): void {
    if (shown !== undefined) bar?.stop();
    shown = undefined;
  }

  function line(text: string): void {
    if (bar) end();
    stream.write(`${text}\n`);
  }

  return {
    line,
    end,
    show(event: MigrationEvent): void {
      if (event.type === 'phase') {
        line(event.collection === undefined ? event.phase : `${event.phase} ${event.collection}`);
      } else if (event.type === 'retry') {
        line(`${event.side}: ${event.error.message} It is tried again.`);
      } else if (event.type === 'refused') {
        line(`refused: ${event.collection}/${event.recordId}: ${event.reason}`);
      } else if (event.type === 'difference') {
        const fields = event.fields.length > 0 ? ` (${event.fields.join(', ')})` : '';
        line(`${event.kind}: ${event.collection}/${event.recordId}${fields}`);
      } else if (event.type === 'progress') {
        const { collection, done, total, rate } = event;
        const left = eta(done, total, rate);
        if (!bar) {
          const now = performance.now();
          if (collection === shown && now - lineAt < LINE_EVERY && done !== total) return;
          lineAt = now;
          shown = collection;
          line(
            `${collection}: ${done}${total === undefined ? '' : ` of ${total}`} rows, ${Math.round(rate)}/s ${left}`.trimEnd(),
          );
          return;
        }
        const known = { collection, rate: Math.round(rate), left };
        if (shown !== collection) {
          end();
          bar.start(total ?? done, done, known);
          shown = collection;
        } else bar.update(done, known);
      }
    },
  };
}
