import { ok, wrong } from '../../../src/adapter-kit/doctor/check.js';
import { type Check, suggest } from '../../../src/adapter-kit/kit.js';
import { fieldsOf, type ParsedOptions } from '../options.js';
import { type Place, serverFields } from './place.js';
import { bare, type Fields, type Schema } from './schema.js';
import { CONFLICT_DETECTION, modelSdl } from './setup.js';
import type { Use, Uses } from './uses.js';

const none: Fields = new Map();

/** Whether a variable of this type may be passed where that one is wanted. */
const fits = (given: string, wanted: string): boolean => given === wanted || given === `${wanted}!`;

/** What is wrong with one root field. `used`: what the model's documents name; another field is meant where one is not there. */
function faultsOf({ field, args }: Use, all: Fields, used: readonly Use[]): string[] {
  const found = all.get(field);
  const free = [...all.keys()].filter((name) => !used.some((use) => use.field === name));
  if (!found) return [`${field} is not there; ${suggest(field, free)}`];
  const faults = [...args].flatMap(([arg, type]) => {
    const wanted = found.args.get(arg);
    if (wanted === undefined) return [`${field} takes no ${arg}.`];
    if (type === undefined || fits(type, wanted)) return [];
    return [`${field} wants ${arg}: ${wanted}, and is given ${type}.`];
  });
  const missing = [...found.args].filter(([arg, type]) => type.endsWith('!') && !args.has(arg));
  return [...faults, ...missing.map(([arg, type]) => `${field} wants ${arg}: ${type}.`)];
}

/** Amplify sets an owner by itself where the input has none, which a required field forbids. */
const wantedFix = (field: string): string =>
  /owner/i.test(field)
    ? `Declare it as ${field}: String, so that Amplify sets it to the user who is signed in; or name it in "fields" and save it with each row, as the rule of the type wants it.`
    : 'Name it in "fields".';

/** What is wrong with an input: fields that it does not take, and those that it wants and is not given. */
function inputFaults(schema: Schema, type: string | undefined, sent: readonly string[]): string[] {
  const name = bare(type ?? '');
  const fields = schema.fieldsOf(name);
  // What is not there is named where it is used.
  if (!fields) return [];
  const unknown = sent.filter((field) => !fields.has(field)).map((field) => `${name} takes no ${field}.`);
  const missing = [...fields].filter(([field, { required }]) => required && !sent.includes(field));
  return [
    ...unknown,
    ...missing.map(([field, { type: wanted }]) => `${name} wants ${field}: ${wanted}. ${wantedFix(field)}`),
  ];
}

/** The arguments that name one item. */
function keyOf({ get }: Uses, { query }: Schema): readonly string[] {
  const args = [...(query.get(get.field)?.args ?? [])];
  return args.filter(([, type]) => type.endsWith('!')).map(([arg]) => arg);
}

/** What the schema has of one model. It says nothing of rights. */
export function schemaChecks(schema: Schema, place: Place, { auth }: ParsedOptions): Check[] {
  const { collection, given, table, uses } = place;
  const { id, updatedAt, versioned } = table;
  const setup = (): readonly string[] => [
    'The schema needs this (npx synclayer setup appsync):',
    modelSdl(place, auth.type),
  ];
  const checked = (what: string, faults: readonly string[], ...fix: readonly string[]): Check =>
    faults.length === 0 ? ok(`${collection}: ${what}`) : wrong(`${collection}: ${what}`, ...faults, ...fix);
  const named =
    given.names === undefined ? 'Where it has other names, give them by "plural" and "names".' : 'Are "names" right?';

  const typeName = bare(schema.query.get(uses.get.field)?.type ?? given.table);
  const type = schema.fieldsOf(typeName);
  const there = `the type ${given.table} is there`;
  if (!type) return [checked(there, [`${typeName} is not there.`], ...setup())];
  const checks = [ok(`${collection}: ${there}`)];
  const key = keyOf(uses, schema);
  if (key.length > 1)
    return [
      ...checks,
      checked('one field is its key', [
        `Its key is ${key.join(' and ')}: items that share ${id} would be one record. SyncLayer needs one field that names an item alone.`,
        `Give the type a key of its own, id: ID!, and an index for ${key.join(' and ')} (@index, or .secondaryIndexes) instead of a key of several fields.`,
      ]),
    ];

  const detected = type.has('_version');
  const detection = versioned ? 'conflicts are detected, as configured' : 'conflicts are not detected, as configured';
  const mended = versioned
    ? ['Set "versioned" to false, or let AppSync detect them:', CONFLICT_DETECTION]
    : ['Set "versioned" to true: writes without _version are refused.'];
  checks.push(
    checked(detection, versioned === detected ? [] : [`${typeName} has ${detected ? 'a' : 'no'} _version.`], ...mended),
  );
  // The rest would only say so again.
  if (versioned !== detected) return checks;

  const wanted = [
    id,
    ...fieldsOf(given.fields).map((field) => /^\w+/.exec(field)?.[0] ?? field),
    ...serverFields(place),
  ];
  const lost = wanted.filter((field) => !type.has(field));
  checks.push(
    checked(
      'its fields are there',
      lost.map((field) => `${typeName} has no ${field}; ${suggest(field, [...type.keys()])}`),
      'Correct "fields", "id" or "updatedAt", or add them to the type.',
    ),
  );
  const time = type.get(updatedAt)?.type;
  if (!versioned && time !== undefined)
    checks.push(
      checked(
        `${updatedAt} is an AWSDateTime`,
        bare(time) === 'AWSDateTime' ? [] : [`It is ${time}.`],
        `Declare it: ${updatedAt}: AWSDateTime`,
      ),
    );

  const reads = [uses.get, uses.page].flatMap((use, _, both) => faultsOf(use, schema.query, both));
  checks.push(checked('its queries are there', reads, named));

  const { create, update, delete: remove } = uses;
  const writes = [create, update, remove];
  // Without a version the condition is the compare of compare-and-set.
  const spare = (use: Use): Use =>
    versioned || use === create ? { ...use, args: new Map([...use.args].filter(([arg]) => arg !== 'condition')) } : use;
  const mutations = writes.flatMap((use) => faultsOf(spare(use), schema.mutation, writes));
  checks.push(checked('its mutations are there', mutations, named));

  const inputOf = ({ field }: Use): string | undefined => schema.mutation.get(field)?.args.get('input');
  const ours = Object.keys(table.blank());
  const version = versioned ? ['_version'] : [];
  const inputs = [
    ...inputFaults(schema, inputOf(create), [id, ...ours]),
    ...inputFaults(schema, inputOf(update), [id, ...ours, ...version]),
    ...inputFaults(schema, inputOf(remove), [id, ...version]),
  ];
  checks.push(checked('its inputs take what is written', inputs));

  if (!versioned) {
    const filter = schema.query.get(uses.page.field)?.args.get('filter');
    const condition = schema.mutation.get(update.field)?.args.get('condition');
    const blind = [filter, condition].flatMap((each) => {
      const fields = each === undefined ? none : schema.fieldsOf(bare(each));
      return each === undefined || fields?.has(updatedAt) ? [] : [`${bare(each)} has no ${updatedAt}.`];
    });
    checks.push(
      checked(`filters and conditions know ${updatedAt}`, blind, `Declare it in the type: ${updatedAt}: AWSDateTime`),
    );
  }

  const live = uses.subscriptions.flatMap((use) => {
    const found = schema.subscription.get(use.field);
    const faults = faultsOf(use, schema.subscription, uses.subscriptions);
    const other = found && bare(found.type) !== typeName ? [`${use.field} gives ${found.type}, not ${typeName}.`] : [];
    return [...faults, ...other];
  });
  checks.push(checked('its subscriptions are there', live, named));
  return checks;
}
