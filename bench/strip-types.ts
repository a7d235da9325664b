/**
 * Runs TypeScript by Node's own type stripping, so that what is measured is what was written: tsx makes each function a call more,
 * to keep its name, which no app pays for.
 */
import { registerHooks } from 'node:module';

registerHooks({
  resolve: (specifier, context, next) =>
    next(
      context.parentURL?.endsWith('.ts') && /^\.\.?\/.*\.js$/.test(specifier)
        ? specifier.replace(/js$/, 'ts')
        : specifier,
      context,
    ),
});
