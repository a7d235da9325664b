export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LoggerOptions {
  /** Default true where options are given at all; without them the library is silent. */
  readonly enabled?: boolean | undefined;
  /** Default `info`. */
  readonly minLevel?: LogLevel | undefined;
  /** Default: the console. */
  readonly customLogger?:
    | ((level: LogLevel, message: string, details?: Readonly<Record<string, unknown>>) => void)
    | undefined;
}

type Details = Readonly<Record<string, unknown>>;

/**
 * A function as `details` is called only if the line is written: what it counts costs nothing else. `urgent`: where the app has not
 * asked for a log, nor for none, the line is written all the same.
 */
export type Log = (level: LogLevel, message: string, details?: Details | (() => Details), urgent?: boolean) => void;

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

const toConsole = (level: LogLevel, message: string, details?: Details): void => {
  // biome-ignore lint/suspicious/noConsole: this is the one place that writes to it, when the app asks or nothing will ever work.
  console[level](`[synclayer] ${message}`, ...(details ? [details] : []));
};

/**
 * One function to log with, and one to set it up at run time.
 *
 * @example
 * const { log, configure } = createLogger();
 * configure({ enabled: true, minLevel: 'debug' });
 */
export function createLogger(initial?: LoggerOptions): { log: Log; configure(options: LoggerOptions): void } {
  const silent: LoggerOptions = { enabled: false };
  let options = initial ?? silent;
  return {
    log(level, message, details, urgent) {
      if (
        options === silent
          ? !urgent
          : options.enabled === false || order.indexOf(level) < order.indexOf(options.minLevel ?? 'info')
      )
        return;
      try {
        (options.customLogger ?? toConsole)(level, message, typeof details === 'function' ? details() : details);
      } catch (error) {
        // Not in the middle of what was being logged; the app's tools see it all the same.
        queueMicrotask(() => {
          throw error;
        });
      }
    },
    configure(next) {
      options = { ...options, enabled: true, ...next };
    },
  };
}
