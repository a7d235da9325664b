import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ToolsInput } from '../adapter-kit/doctor/tools.js';
import { SyncLayerError } from '../base/errors.js';
import type { SyncLayerConfig } from '../config/types.js';
import type { AuthToken } from '../transport/transport.js';
import { readModulesAsSuch } from './module-syntax.js';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const invalid = (message: string, cause?: unknown): SyncLayerError =>
  new SyncLayerError('CONFIG_INVALID', message, { cause });

async function read(file: string): Promise<unknown> {
  const url = pathToFileURL(resolve(file)).href;
  readModulesAsSuch();
  try {
    const module = file.endsWith('.json') ? await import(url, { with: { type: 'json' } }) : await import(url);
    return module.default ?? module.config;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    const isSyntax = /Unexpected token 'export'|import statement outside a module/.test(String(why));
    const fix = isSyntax ? '. Name it .mts or .mjs, or set "type": "module" in package.json.' : '';
    throw invalid(`${file} could not be loaded: ${why}${fix}`, cause);
  }
}

async function readObject(file: string): Promise<Record<string, unknown>> {
  const config = await read(file);
  if (!isObject(config)) throw invalid(`${file} has no default export that is a configuration for createSyncLayer.`);
  return config;
}

/**
 * A configuration from a file: JSON, or a module (JavaScript, or TypeScript that Node can strip) whose default export, or
 * whose `config`, is what `createSyncLayer` takes. Throws CONFIG_INVALID.
 */
export async function loadConfig(file: string): Promise<{ readonly type: string } & ToolsInput> {
  const { transport, collections, websocketUrl, baseUrl, authToken } = await readObject(file);
  if (transport === undefined && (websocketUrl ?? baseUrl) !== undefined)
    return { type: 'websocket', transport: {}, collections: namesOf(collections, file) };
  if (!isObject(transport) || typeof transport.type !== 'string') {
    const example = 'transport: { type: "supabase", url, key, collections: { todos: {} } }';
    throw invalid(`${file} needs a transport by name, so that its options can be read: ${example}.`);
  }
  const { type, ...options } = transport;
  if (authToken !== undefined && typeof authToken !== 'string' && typeof authToken !== 'function')
    throw invalid(`${file}: authToken must be a string, or a function that returns one.`);
  return { type, transport: options, collections: namesOf(collections, file), authToken: authToken as AuthToken };
}

function namesOf(collections: unknown, file: string): string[] {
  const names = Array.isArray(collections) ? collections : Object.keys(Object(collections));
  if (names.length === 0 || !names.every((name) => typeof name === 'string'))
    throw invalid(`${file} names no collections. Add for example collections: ["todos"].`);
  return names;
}

/** The whole configuration of such a file, and the names of its collections. Throws CONFIG_INVALID. */
export async function loadAll(file: string): Promise<{ config: SyncLayerConfig; collections: string[] }> {
  const config = await readObject(file);
  return { config: config as unknown as SyncLayerConfig, collections: namesOf(config.collections, file) };
}

/** What a module exports by default. Throws CONFIG_INVALID. */
export const loadDefault = read;
