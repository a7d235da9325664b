import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Row } from '../base/change.js';
import { SyncLayerError } from '../base/errors.js';

/**
 * A row through a Standard Schema: what the schema makes of it (defaults, coercions), with its id. Throws
 * VALIDATION_FAILED with each issue. Without a schema the row itself.
 */
export function schemaParser(collection: string, schema: StandardSchemaV1 | undefined): (row: Row) => Row {
  if (!schema) return (row) => row;
  return (row) => {
    const result = schema['~standard'].validate(row);
    if (result instanceof Promise) {
      const message = `The schema of "${collection}" is asynchronous; SyncLayer needs one that answers at once.`;
      throw new SyncLayerError('CONFIG_INVALID', message);
    }
    if (!result.issues) return { ...(result.value as Row), id: row.id };
    const issues = result.issues.map(({ path, message }) => {
      const keys = path?.map((part) => String(typeof part === 'object' ? part.key : part)) ?? [];
      return `${keys.join('.') || 'row'}: ${message}`;
    });
    const details = { collection, recordId: row.id, issues };
    throw new SyncLayerError(
      'VALIDATION_FAILED',
      `"${collection}" ${String(row.id)} breaks the schema: ${issues.join('; ')}`,
      { details },
    );
  };
}
