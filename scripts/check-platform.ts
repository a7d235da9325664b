/**
 * What runs in an app runs on every engine, and some lack what all browsers have: React Native up to 0.86 has an AbortController
 * without reasons, no `crypto` and a URL that reads http addresses only; its Hermes has no `isWellFormed` and no `\p{Surrogate}`.
 */
import { globSync, readFileSync } from 'node:fs';
import ts from 'typescript';

const rules: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\.throwIfAborted\(/, 'throwIfAborted(signal) of src/base/abort.ts'],
  [/\bAbortSignal\.(any|timeout|abort)\b/, 'joined() of src/base/abort.ts'],
  [/\b(signal|lost|over)\.reason\b/, 'reasonOf(signal) of src/base/abort.ts'],
  [/\.abort\([^)]/, 'abort(controller, reason) of src/base/abort.ts'],
  [/\bURL\.canParse\b|\bnew URL\(/, 'parseUrl() of src/base/url.ts'],
  [/(?<![.\w])crypto\.(?!subtle)/, 'newId() of src/base/id.ts'],
  [/\.(isWellFormed|toWellFormed)\(|\\p\{/, 'hasLoneSurrogate() of src/adapter-kit'],
  [/\bstructuredClone\(|\bDOMException\b|\bTextDecoder\b/, 'plain JavaScript'],
  [/\bSymbol\.asyncIterator\b/, 'asyncIterator of src/base/async-iterator.ts'],
  [/\.(toSorted|toReversed|toSpliced|findLast|findLastIndex|groupBy|union|difference)\(/, 'what ES2022 has'],
  [/\b(Promise\.withResolvers|Array\.fromAsync|Iterator\.from)\b/, 'what ES2022 has'],
];

/** Only for Node, or with what only a browser can do; `src/base/abort.ts` is where the rules lead to. */
const exempt =
  /^src\/(server|cli|migrate(?!\/switchover)|testing)\/|^src\/base\/(abort|id|async-iterator)\.ts$|^src\/store\/sqlite\.ts$|^adapters\/\w+\/doctor\/|^adapters\/appsync\/sign\.ts$/;

const files = globSync(['src/**/*.ts', 'adapters/**/*.ts'])
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !exempt.test(path));
/**
 * Lines with a getter behind a spread. Metro up to React Native 0.79 makes `Object.assign({}, spread, { get a() {} })` of them, which
 * reads the getter once and keeps the value; a getter before the spread stays one.
 */
function gettersBehindSpreads(file: string): number[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const lines: number[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isObjectLiteralExpression(node)) {
      const spread = node.properties.findIndex((property) => ts.isSpreadAssignment(property));
      for (const [index, property] of node.properties.entries())
        if (spread >= 0 && index > spread && ts.isGetAccessor(property))
          lines.push(source.getLineAndCharacterOfPosition(property.getStart()).line + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

let offences = 0;
for (const file of files) {
  for (const line of gettersBehindSpreads(file)) {
    offences += 1;
    console.error(`${file}:${line}: a getter behind a spread is a value in some builds. Put it before the spread.`);
  }
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
