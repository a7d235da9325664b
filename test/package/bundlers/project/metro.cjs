/** `node metro.cjs CONFIG OUT`: CONFIG is the package of React Native's configuration for Metro. */
const { createRequire } = require('node:module');
const { mkdirSync } = require('node:fs');

const [, , config, out] = process.argv;
const { getDefaultConfig, mergeConfig } = require(config);
const own = createRequire(createRequire(require.resolve(config)).resolve('metro-config'));
const Metro = own('metro');

mkdirSync('out', { recursive: true });
const settings = mergeConfig(getDefaultConfig(__dirname), {
  maxWorkers: 1,
  watchFolders: [__dirname],
  resetCache: true,
  reporter: { update: (event) => /fail|error/.test(event.type) && console.error(event) },
  // What needs the native side of React Native.
  serializer: { getModulesRunBeforeMainModule: () => [], getPolyfills: () => [] },
  transformer: {
    babelTransformerPath: createRequire(require.resolve(config)).resolve('@react-native/metro-babel-transformer'),
  },
});
Metro.runBuild(settings, { entry: 'native.js', platform: 'ios', dev: false, minify: false, out }).then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
