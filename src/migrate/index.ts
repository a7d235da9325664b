export { type MigrationReport, migrate } from './migrate.js';
export { createMigration, type Following, type Migration } from './migration.js';
export type * from './types.js';
