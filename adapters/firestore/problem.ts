import { problemsOf } from '../../src/adapter-kit/problem.js';

/** An error of this adapter. */
export const problem = problemsOf('firestore');
