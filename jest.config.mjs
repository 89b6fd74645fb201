/** Unit tests beside the code, and the suites of `tests/`. Run through `make test`. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/libs', '<rootDir>/services', '<rootDir>/tests', '<rootDir>/bench'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/.cache', '<rootDir>/dist'],
  cacheDirectory: '<rootDir>/.cache/jest',
  reporters: ['default', '<rootDir>/tests/summary-reporter.mjs'],
  globalSetup: '<rootDir>/tests/support/s3-global-setup.mjs',
  globalTeardown: '<rootDir>/tests/support/s3-global-teardown.mjs',
  testTimeout: 30_000,
};
