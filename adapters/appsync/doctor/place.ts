import { createModels, type Model } from '../model.js';
import type { AppsyncModel, ParsedOptions } from '../options.js';
import { type FieldType, fieldTypes } from './field-types.js';
import { type Uses, usesOf } from './uses.js';

/** A collection, and what its model wants of the schema. */
export interface Place {
  readonly collection: string;
  readonly given: AppsyncModel;
  readonly model: Model;
  readonly uses: Uses;
  /** Of the app, without the key and what the server sets. */
  readonly fields: readonly FieldType[];
}

export function placesOf(options: ParsedOptions, collections: readonly string[]): Place[] {
  const models = createModels(options);
  return collections.map((collection) => {
    const model = models.get(collection);
    const given = options.models[collection] as AppsyncModel;
    const server = ['createdAt', model.updatedAt, '_version', '_deleted', '_lastChangedAt'];
    const fields = fieldTypes(given).filter(({ name }) => !server.includes(name));
    return { collection, given, model, uses: usesOf(model), fields };
  });
}

/** What the server sets, and the transport reads. */
export const serverFields = ({ model }: Place): readonly string[] =>
  model.versioned ? ['_version', '_deleted', '_lastChangedAt'] : [model.updatedAt];
