import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders with a package.json of their own: what only some tests or the benchmarks need is not in everybody's `npm ci`. */
export const folders = {
  bench: 'bench',
  bundlers: 'test/package/bundlers',
  simulator: 'test/peers/appsync/simulator',
} as const;

export type Folder = keyof typeof folders;

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;
}

/** Whether its packages are there, each with the version of the lockfile. What is for other platforms is left out. */
export function isInstalled(folder: Folder): boolean {
  const versions = (...path: string[]): [string, string][] => {
    const { packages }: Lockfile = JSON.parse(readFileSync(join(folders[folder], ...path), 'utf8'));
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
