import { type ASTNode, type DocumentNode, type GraphQLError, visit } from 'graphql';
import { type HasuraError, invalid, type Path } from './failure.js';

/** Where Hasura says that a node is: `$.selectionSet.todos.args.where`. */
function pathOf(document: DocumentNode, node: ASTNode | undefined): Path {
  let found: Path | undefined;
  const stack: string[] = ['$'];
  visit(document, {
    enter(each) {
      if (each.kind === 'Field') stack.push(`.selectionSet.${each.name.value}`);
      else if (each.kind === 'Argument') stack.push(`.args.${each.name.value}`);
      else if (each.kind === 'ObjectField') stack.push(`.${each.name.value}`);
      else stack.push('');
      if (each === node) found ??= stack.join('');
    },
    leave: () => void stack.pop(),
  });
  return found ?? '$';
}

/** Messages of `graphql`, and how Hasura says the same. */
const phrases: readonly (readonly [RegExp, (...parts: string[]) => string])[] = [
  [/^Cannot query field "(\w+)" on type "(\w+)"/, (name, type) => `field '${name}' not found in type: '${type}'`],
  [/^Field "(\w+)" is not defined by type "(\w+)"/, (name, type) => `field '${name}' not found in type: '${type}'`],
  [
    /Expected value of type "(\w+)" not to include unknown field "(\w+)"/,
    (type, name) => `field '${name}' not found in type: '${type}'`,
  ],
  [/^Unknown argument "(\w+)" on field "\w+\.(\w+)"/, (name, field) => `'${field}' has no argument named '${name}'`],
  [
    /^Variable "\$(\w+)" of type "([^"]+)" used in position expecting type "([^"]+)"/,
    (name, type, expected) => `variable '${name}' is declared as '${type}', but used where '${expected}' is expected`,
  ],
  [
    /^(?:Variable "\$(\w+)" of required type|Variable "\$(\w+)" of non-null type|Variable "\$(\w+)" has invalid value: Expected a value of non-null type)/,
    (...names) => `expecting a value for non-nullable variable: "${names.find(Boolean)}"`,
  ],
  [
    /^GraphQL introspection has been disabled, but the requested query contained the field "(\w+)"/,
    (name) => `field '${name}' not found in type: 'query_root'`,
  ],
  [/^Value "(\w+)" does not exist in "(\w+)" enum/, (value, type) => `unexpected value "${value}" for enum: '${type}'`],
];

/** What `graphql` finds wrong with a request, as Hasura tells it: in its own words where they are known. */
export function translate({ message, nodes }: GraphQLError, document: DocumentNode): HasuraError {
  // Of a variable that does not fit, the first is its definition.
  const path = pathOf(document, nodes?.at(-1));
  for (const [pattern, say] of phrases) {
    const match = pattern.exec(message);
    if (match) return invalid(say(...match.slice(1)), path);
  }
  return invalid(message, path);
}
