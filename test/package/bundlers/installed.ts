import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const bundlersFolder = import.meta.dirname;

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;
}

/** Whether the bundlers are there, each with the version of its lockfile. What is for other platforms is left out. */
export function areBundlersInstalled(): boolean {
  const versions = (...path: string[]): [string, string][] => {
    const { packages }: Lockfile = JSON.parse(readFileSync(join(bundlersFolder, ...path), 'utf8'));
    return Object.entries(packages).flatMap(([name, { version, optional }]) =>
      name && version && !optional ? [[name, version]] : [],
    );
  };
  const wanted = versions('package-lock.json');
  try {
    // npm writes this one last.
    const there = new Map(versions('node_modules', '.package-lock.json'));
    return wanted.every(([name, version]) => there.get(name) === version);
  } catch {
    return false;
  }
}
