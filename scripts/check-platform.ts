/**
 * What runs in an app runs on every engine, and some lack what all browsers have: React Native up to 0.86 has an AbortController
 * without reasons, no `crypto` and a URL that reads http addresses only; its Hermes has no `isWellFormed` and no `\p{Surrogate}`.
 */
import { globSync, readFileSync } from 'node:fs';

const rules: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\.throwIfAborted\(/, 'throwIfAborted(signal) of src/abort.ts'],
  [/\bAbortSignal\.(any|timeout|abort)\b/, 'joined() of src/abort.ts'],
  [/\b(signal|lost|over)\.reason\b/, 'reasonOf(signal) of src/abort.ts'],
  [/\.abort\([^)]/, 'abort(controller, reason) of src/abort.ts'],
  [/\bURL\.canParse\b|\bnew URL\(/, 'parseUrl() of src/url.ts'],
  [/(?<![.\w])crypto\.(?!subtle)/, 'newId() of src/id.ts'],
  [/\.(isWellFormed|toWellFormed)\(|\\p\{/, 'hasLoneSurrogate() of src/backends'],
  [/\bstructuredClone\(|\bDOMException\b|\bTextDecoder\b/, 'plain JavaScript'],
  [/\bSymbol\.asyncIterator\b/, 'asyncIterator of src/async-iterator.ts'],
  [/\.(toSorted|toReversed|toSpliced|findLast|findLastIndex|groupBy|union|difference)\(/, 'what ES2022 has'],
  [/\b(Promise\.withResolvers|Array\.fromAsync|Iterator\.from)\b/, 'what ES2022 has'],
];

/** Only for Node, or with what only a browser can do; `src/abort.ts` is where the rules lead to. */
const exempt =
  /^src\/(server|cli|migrate|testing)\/|^src\/(abort|id|async-iterator)\.ts$|^src\/store\/sqlite\.ts$|^adapters\/\w+\/tools\/|^adapters\/appsync\/sign\.ts$/;

const files = globSync(['src/**/*.ts', 'adapters/**/*.ts'])
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !exempt.test(path));
let offences = 0;
for (const file of files) {
  const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, (comment) =>
    comment.replace(/[^\n]/g, ' '),
  );
  for (const [index, line] of code.split('\n').entries())
    for (const [pattern, instead] of rules)
      if (pattern.test(line)) {
        offences += 1;
        console.error(`${file}:${index + 1}: ${line.trim()}: not every platform has it. Use ${instead}.`);
      }
}
if (offences > 0) process.exit(1);
console.log(`What only some platforms have is used nowhere: ${files.length} files.`);
