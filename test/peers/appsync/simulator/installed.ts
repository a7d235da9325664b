import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const simulatorFolder = import.meta.dirname;

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

/** Whether the simulator's packages are there, each with the version of its lockfile. */
export function isAppsyncSimulatorInstalled(): boolean {
  const versions = (...path: string[]): [string, string][] => {
    const { packages }: Lockfile = JSON.parse(readFileSync(join(simulatorFolder, ...path), 'utf8'));
    return Object.entries(packages).flatMap(([name, { version }]) => (name && version ? [[name, version]] : []));
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
