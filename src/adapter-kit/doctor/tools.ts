import type { AuthToken } from '../../transport/transport.js';

/** One thing that `doctor` looked at. */
export interface Check {
  /** What was looked at: `todos: the table is in the publication supabase_realtime`. */
  readonly what: string;
  /** `unknown`: it could not be told; `fix` says what would let it. */
  readonly state: 'ok' | 'problem' | 'unknown';
  /** What to do about it: words, or statements to run. */
  readonly fix?: string;
}

/** The part of a configuration that the tools of a backend read. */
export interface ToolsInput {
  /** The `transport` entry, without `type`. */
  readonly transport: Readonly<Record<string, unknown>>;
  /** The names of the configuration's collections. */
  readonly collections: readonly string[];
  /** The configuration's own token, with which an app would look. */
  readonly authToken?: AuthToken | undefined;
}

/** What `npx synclayer` can do for one backend. */
export interface BackendTools {
  /** Statements that bring the backend what the transport needs; safe to run twice. Throws CONFIG_INVALID. */
  setup(input: ToolsInput): string;
  /** Looks at the live backend. `databaseUrl`: for what only its catalog tells. */
  doctor(input: ToolsInput, options: { readonly databaseUrl?: string | undefined }): AsyncIterable<Check>;
}
