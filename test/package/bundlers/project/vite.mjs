import { build } from 'vite';

await build({
  configFile: false,
  logLevel: 'warn',
  build: {
    outDir: 'out/vite',
    modulePreload: false,
    rollupOptions: { input: 'app.js', preserveEntrySignatures: 'strict', output: { entryFileNames: 'app.js' } },
  },
});
