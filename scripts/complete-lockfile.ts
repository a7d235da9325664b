/**
 * Adds to package-lock.json the optional packages for other platforms that a partial registry left out: without them
 * `npm ci` refuses the lockfile ("Missing: ... from lock file"). Run it after adding a dependency, where that happens.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

/** Reads the platform from a name such as `@rollup/rollup-linux-x64-musl`. */
function platform(name: string): { cpu: string[]; os: string[]; libc?: string[] } {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-');
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) throw new Error(`${name}: its name says no platform, so add it by hand.`);
  const abi = words.at(-1) ?? '';
  const libc =
    os !== 'linux' ? undefined : abi.startsWith('musl') ? 'musl' : abi.startsWith('gnu') ? 'glibc' : undefined;
  return { cpu: [cpu], os: [os], ...(libc === undefined ? {} : { libc: [libc] }) };
}

const lockfile = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const packages: Record<string, Locked> = lockfile.packages;
const missing = Object.entries(packages).flatMap(([path, { dev, license, optionalDependencies = {} }]) =>
  Object.entries(optionalDependencies)
    .filter(([name]) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages))
    .map(([name, version]) => {
      if (!/^\d+\.\d+\.\d+/.test(version))
        throw new Error(`${name}: ${version} is no exact version, so add it by hand.`);
      const { cpu, os, libc } = platform(name);
      const entry = { version, cpu, ...(dev && { dev }), ...(libc && { libc }), license, optional: true, os };
      return [`node_modules/${name}`, entry] as const;
    }),
);
lockfile.packages = Object.fromEntries(
  [...Object.entries(packages), ...missing].sort(([a], [b]) => a.localeCompare(b, 'en')),
);
writeFileSync('package-lock.json', `${JSON.stringify(lockfile, null, 2)}\n`);
console.log(`${missing.length} packages for other platforms added to package-lock.json`);
