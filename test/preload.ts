/** What core loads when it is used. Under fake timers a test would wait in vain for what comes from the disk. */
import '../src/sync/audit.js';
import '../src/sync/work.js';
