import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const hasModuleSyntax = (code: string): boolean =>
  /^(?:import\s*(?:[\w*{][^;]*?\bfrom\s*)?['"]|export\s+(?:default|const|let|var|async|function|class|type|interface|enum|[{*]))/m.test(
    code,
  );

const isOurs = (url: string): boolean => /^file:.*\.[jt]s(?:\?|$)/.test(url) && !url.includes('/node_modules/');

let registered = false;

/**
 * From now on a .js or .ts file of the project that imports and exports is a module, whatever its package.json says. `npm init` writes
 * "type": "commonjs" there, and Node takes its word: a configuration with `export default` would not load.
 */
export function readModulesAsSuch(): void {
  if (registered) return;
  registered = true;
  registerHooks({
    load(url, context, next) {
      const { format } = context;
      if (format?.startsWith('commonjs') && isOurs(url) && hasModuleSyntax(readFileSync(fileURLToPath(url), 'utf8')))
        return next(url, { ...context, format: format.replace('commonjs', 'module') });
      return next(url, context);
    },
  });
}
