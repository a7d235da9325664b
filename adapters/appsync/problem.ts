import { problemsOf } from '../../src/backends/problem.js';

/** An error of this adapter. */
export const problem = problemsOf('appsync');
