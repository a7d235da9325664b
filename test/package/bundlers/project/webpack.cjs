const { resolve } = require('node:path');
const webpack = require('webpack');

const common = { mode: 'production', entry: './app.js', context: __dirname };
const path = (name) => resolve(__dirname, 'out', name);
webpack(
  [
    // As an app has it that configures nothing.
    { ...common, output: { path: path('webpack') } },
    // The same as modules, which Node can run.
    {
      ...common,
      target: ['web', 'es2022'],
      experiments: { outputModule: true },
      output: { path: path('webpack-modules'), module: true, library: { type: 'module' }, filename: 'app.mjs' },
    },
    // A CommonJS app, which requires the package.
    {
      ...common,
      entry: './app.cjs',
      target: ['web', 'es2022'],
      output: {
        path: path('webpack-required'),
        library: { type: 'commonjs' },
        filename: 'app.cjs',
        chunkFormat: 'commonjs',
        chunkLoading: 'require',
      },
    },
  ],
  (error, stats) => {
    if (error) throw error;
    console.log(JSON.stringify(stats.toJson({ all: false, warnings: true }).warnings.map(({ message }) => message)));
    if (stats.hasErrors()) {
      console.error(stats.toString({ all: false, errors: true }));
      process.exit(1);
    }
  },
);
