import { run } from './app.js';

globalThis.run = run;
