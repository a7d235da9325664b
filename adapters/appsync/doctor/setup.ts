import type { AppsyncAuth, AppsyncNames, ParsedOptions } from '../options.js';
import type { FieldType, Scalar } from './field-types.js';
import type { Place } from './place.js';

/** Who is let in, in both of Amplify's forms. */
interface Rule {
  readonly sdl: string;
  readonly code: string;
  /** What Gen 2 calls the mode. */
  readonly mode: string;
  readonly who: string;
}

const rules: Readonly<Record<AppsyncAuth['type'], Rule>> = {
  apiKey: {
    sdl: '{ allow: public, provider: apiKey }',
    code: 'allow.publicApiKey()',
    mode: 'apiKey',
    who: 'everybody who has the key',
  },
  userPool: {
    sdl: '{ allow: owner }',
    code: 'allow.owner()',
    mode: 'userPool',
    who: 'everybody who is signed in, each with rows of their own',
  },
  oidc: {
    sdl: '{ allow: owner, provider: oidc, identityClaim: "sub" }',
    code: "allow.owner('oidc').identityClaim('sub')",
    mode: 'oidc',
    who: 'everybody who is signed in, each with rows of their own',
  },
  iam: {
    sdl: '{ allow: private, provider: iam }',
    code: "allow.authenticated('identityPool')",
    mode: 'identityPool',
    who: 'everybody who is signed in',
  },
  lambda: { sdl: '{ allow: custom }', code: 'allow.custom()', mode: 'lambda', who: 'what your Lambda says' },
};

const builders: Readonly<Record<Scalar, string>> = {
  ID: 'id',
  String: 'string',
  Float: 'float',
  Boolean: 'boolean',
  AWSDateTime: 'datetime',
  AWSJSON: 'json',
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const indented = (text: string): string => text.replaceAll(/^(?=.)/gm, '  ');

/** The types of fields that have fields. */
function nestedTypes(owner: string, fields: readonly FieldType[]): { name: string; fields: readonly FieldType[] }[] {
  return fields.flatMap(({ name, type }) => {
    if (typeof type === 'string') return [];
    const own = owner + capital(name);
    return [{ name: own, fields: type }, ...nestedTypes(own, type)];
  });
}

/** A type, as both forms have it. */
interface Shape {
  readonly name: string;
  readonly idType: string;
  readonly id: string;
  readonly fields: readonly FieldType[];
  /** Without conflict detection: filters and conditions name it. Amplify sets it. */
  readonly updatedAt: string | undefined;
}

const editedField = ({ editedAt }: Place['table']): FieldType[] =>
  editedAt === undefined ? [] : [{ name: editedAt, type: 'AWSDateTime', list: false, known: true }];

const shapeOf = ({ given, table, fields }: Place): Shape => ({
  name: given.table,
  id: table.id,
  idType: given.names?.idType ?? 'ID',
  fields: [...fields, ...editedField(table)],
  updatedAt: table.versioned ? undefined : table.updatedAt,
});

const GUESSED = 'a guess: the configuration does not say';

function sdlFields(owner: string, fields: readonly FieldType[]): string[] {
  return fields.map(({ name, type, list, known }) => {
    const one = typeof type === 'string' ? type : owner + capital(name);
    return `  ${name}: ${list ? `[${one}]` : one}${known ? '' : ` # ${GUESSED}`}`;
  });
}

/** `@model` with the names that Amplify would not choose by itself. One name of a group given, the others must be, too. */
function modelDirective({ given, table, uses }: Place): string {
  const { names = {} } = given;
  const group = (keys: readonly (keyof AppsyncNames)[], text: string): string[] =>
    keys.some((key) => names[key] !== undefined) ? [text] : [];
  const [onCreate, onUpdate, onDelete] = uses.subscriptions.map(({ field }) => field);
  const list = table.versioned ? (names.list ?? `list${given.plural ?? `${given.table}s`}`) : uses.page.field;
  const parts = [
    ...group(['get', 'list'], `queries: { get: "${uses.get.field}", list: "${list}" }`),
    ...group(
      ['create', 'update', 'delete'],
      `mutations: { create: "${uses.create.field}", update: "${uses.update.field}", delete: "${uses.delete.field}" }`,
    ),
    ...group(
      ['onCreate', 'onUpdate', 'onDelete'],
      `subscriptions: { onCreate: ["${onCreate}"], onUpdate: ["${onUpdate}"], onDelete: ["${onDelete}"] }`,
    ),
    ...(table.updatedAt === 'updatedAt' ? [] : [`timestamps: { updatedAt: "${table.updatedAt}" }`]),
  ];
  return parts.length > 0 ? `@model(${parts.join(', ')})` : '@model';
}

/** The type of one model, for Gen 1. */
export function modelSdl(place: Place, auth: AppsyncAuth['type']): string {
  const { name, id, idType, fields, updatedAt } = shapeOf(place);
  const lines = [
    `type ${name} ${modelDirective(place)} @auth(rules: [${rules[auth].sdl}]) {`,
    `  ${id}: ${idType}!${id === 'id' ? '' : ' @primaryKey'}`,
    ...sdlFields(name, fields),
    ...(updatedAt === undefined ? [] : [`  ${updatedAt}: AWSDateTime`]),
    '}',
    ...nestedTypes(name, fields).map((type) =>
      [`type ${type.name} {`, ...sdlFields(type.name, type.fields), '}'].join('\n'),
    ),
  ];
  return lines.join('\n');
}

function codeFields(fields: readonly FieldType[]): string {
  const lines = fields.map(({ name, type, list, known }) => {
    const one = typeof type === 'string' ? `a.${builders[type]}()` : `a.customType({\n${codeFields(type)}\n})`;
    return `${name}: ${one}${list ? '.array()' : ''},${known ? '' : ` // ${GUESSED}`}`;
  });
  return indented(lines.join('\n'));
}

/** The same for Gen 2. */
function modelCode(place: Place, auth: AppsyncAuth['type']): string {
  const { name, id, fields, updatedAt } = shapeOf(place);
  const time: FieldType[] =
    updatedAt === undefined ? [] : [{ name: updatedAt, type: 'AWSDateTime', list: false, known: true }];
  const own = id === 'id' ? '' : `  ${id}: a.id().required(),\n`;
  const key = id === 'id' ? '' : `.identifier(['${id}'])`;
  return `${name}: a.model({\n${own}${codeFields([...fields, ...time])}\n})${key}.authorization((allow) => [${rules[auth].code}]),`;
}

/** Once for each type: collections may share one. */
const unique = (places: readonly Place[]): Place[] => [
  ...new Map(places.map((place) => [place.given.table, place])).values(),
];

export const CONFLICT_DETECTION =
  'amplify update api, "Conflict resolution strategy", "Optimistic Concurrency"; then amplify push. In CDK: dataStoreConfiguration of AmplifyGraphqlApi.';

/** The two forms in one text. Both may have comments. */
export function setupText(all: readonly Place[], { auth: { type } }: ParsedOptions): string {
  const places = unique(all);
  const versioned = places.filter(({ table }) => table.versioned).map(({ given }) => given.table);
  const plain = places.filter(({ table }) => !table.versioned).map(({ given }) => given.table);
  const detection = [
    ...(versioned.length > 0
      ? [
          `# Conflict detection for ${versioned.join(', ')}, which brings _version, _deleted, _lastChangedAt and sync queries:`,
          `#   ${CONFLICT_DETECTION}`,
        ]
      : []),
    ...(plain.length > 0
      ? [
          `# Without conflict detection: ${plain.join(', ')}. Their time is in the type, so that filters and conditions know it.`,
        ]
      : []),
  ];
  const none =
    versioned.length > 0
      ? `
// Gen 2 has no conflict detection (amplify-backend#2880): with this form leave "versioned" out of the configuration, and run this
// once more. Or keep it, and give the schema above to CDK's AmplifyGraphqlApi.`
      : '';
  return `# ---- schema.graphql, for Amplify Gen 1: amplify/backend/api/<name>/schema.graphql; then: amplify push
# @model makes of each type its queries, mutations, inputs and the subscriptions onCreate, onUpdate, onDelete.
${detection.join('\n')}
# Who may do what is yours to say. Here it is ${rules[type].who}.
# No "!" at the app's fields: an event holds only what its mutation selected, and one that lacks such a field is lost whole.

${places.map((place) => modelSdl(place, type)).join('\n\n')}

// ---- amplify/data/resource.ts, the same for Amplify Gen 2; then: npx ampx sandbox, or push to the branch${none}
import { a, type ClientSchema, defineData } from '@aws-amplify/backend';

const schema = a.schema({
${indented(places.map((place) => modelCode(place, type)).join('\n'))}
});

export type Schema = ClientSchema<typeof schema>;
export const data = defineData({ schema, authorizationModes: { defaultAuthorizationMode: '${rules[type].mode}' } });`;
}
