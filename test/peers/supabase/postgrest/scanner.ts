/** Reads a text from left to right. */
export interface Scanner {
  /** Characters read so far. */
  readonly position: number;
  readonly done: boolean;
  /** The rest, unread. */
  readonly rest: string;
  /** Reads `text`, if it comes next. */
  take(text: string): boolean;
  /** Reads what matches; the pattern is sticky (`y`). */
  match(pattern: RegExp): string | undefined;
  /** Does and undoes: nothing was read where `read` gives undefined. */
  attempt<Value>(read: () => Value | undefined): Value | undefined;
}

export function createScanner(text: string): Scanner {
  let at = 0;
  const scanner: Scanner = {
    get position() {
      return at;
    },
    get done() {
      return at >= text.length;
    },
    get rest() {
      return text.slice(at);
    },
    take: (expected) => {
      const found = text.startsWith(expected, at);
      if (found) at += expected.length;
      return found;
    },
    match: (pattern) => {
      pattern.lastIndex = at;
      const found = pattern.exec(text)?.[0];
      at += found?.length ?? 0;
      return found;
    },
    attempt: (read) => {
      const start = at;
      const value = read();
      if (value === undefined) at = start;
      return value;
    },
  };
  return scanner;
}

const QUOTED = /"(?:\\[\s\S]|[^"\\])*"/y;

/** `"..."`, where a backslash keeps the next character. */
export function readQuoted(scanner: Scanner): string | undefined {
  const quoted = scanner.match(QUOTED);
  return quoted?.slice(1, -1).replace(/\\([\s\S])/g, '$1');
}
