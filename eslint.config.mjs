import tseslint from 'typescript-eslint';

/**
 * Only what needs types or names files: floating promises, exhaustive switches, and the seams. Everything that reads time,
 * randomness, the environment or the network is injected, so that one seed decides a whole run (docs/TESTING.md).
 * Formatting and the fast rules are Biome's.
 */
const seams = [
  { name: 'Date', message: 'take a Clock (libs/base)' },
  { name: 'performance', message: 'take a Clock (libs/base)' },
  { name: 'setTimeout', message: 'take a Clock (libs/base)' },
  { name: 'setInterval', message: 'take a Clock (libs/base)' },
  { name: 'setImmediate', message: 'take a Clock (libs/base)' },
  { name: 'crypto', message: 'take a Random (libs/base)' },
  { name: 'fetch', message: 'the network is owned by libs/rpc, services/gateway and s3.ts' },
];

const seamProperties = [
  { object: 'Math', property: 'random', message: 'take a Random (libs/base)' },
  { object: 'process', property: 'env', message: 'configuration is parsed once, in main.ts' },
  { object: 'process', property: 'hrtime', message: 'take a Clock (libs/base)' },
  {
    object: 'AbortSignal',
    property: 'timeout',
    message: 'use deadlineSignal (libs/base): it runs on the injected clock',
  },
];

const telemetry = [
  'prom-client',
  'pino',
  '@opentelemetry/api',
  '@opentelemetry/sdk-trace',
  '@opentelemetry/sdk-trace-node',
  '@opentelemetry/resources',
  '@opentelemetry/exporter-trace-otlp-http',
];

const owned = (names, owner) => names.map((name) => ({ name, message: `only ${owner} imports it` }));
const sdks = [
  ...owned(['@aws-sdk/client-s3', '@smithy/node-http-handler'], 'libs/object-store/src/s3.ts'),
  ...owned(['@grpc/grpc-js', 'grpc-health-check'], 'libs/rpc'),
  ...owned(['express'], 'services/gateway'),
  ...owned(telemetry, 'libs/telemetry'),
  ...owned(['zod'], 'configuration'),
];

const restrictedImports = (allowed = []) => [
  'error',
  {
    paths: [
      ...sdks.filter((entry) => !allowed.includes(entry.name)),
      {
        name: 'node:crypto',
        importNames: ['randomBytes', 'randomFillSync', 'randomInt', 'randomUUID', 'webcrypto'],
        message: 'take a Random (libs/base)',
      },
      { name: 'node:timers', message: 'take a Clock (libs/base)' },
      { name: 'node:timers/promises', message: 'take a Clock (libs/base)' },
    ],
  },
];

export default tseslint.config(
  {
    ignores: [
      '**/node_modules/**',
      '**/gen/**',
      '**/dist/**',
      '.cache/**',
      '**/*.mjs',
      '**/*.d.ts',
      '**/kernels/assembly/**',
    ],
  },
  {
    files: ['libs/**/*.ts', 'services/**/*.ts', 'tests/**/*.ts', 'bench/**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['libs/**/*.ts', 'services/**/*.ts'],
    ignores: ['**/*.test.ts', '**/testing/**'],
    rules: {
      'no-restricted-globals': ['error', ...seams],
      'no-restricted-properties': ['error', ...seamProperties],
      'no-restricted-imports': restrictedImports(),
    },
  },
  {
    files: ['libs/base/src/clock.ts', 'libs/base/src/random.ts'],
    rules: { 'no-restricted-globals': 'off', 'no-restricted-imports': 'off' },
  },
  { files: ['services/gateway/src/rerank/http-reranker.ts'], rules: { 'no-restricted-globals': 'off' } },
  { files: ['services/lagoon/src/main.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: ['libs/object-store/src/s3.ts'],
    rules: { 'no-restricted-imports': restrictedImports(['@aws-sdk/client-s3', '@smithy/node-http-handler']) },
  },
  {
    files: ['libs/rpc/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': restrictedImports(['@grpc/grpc-js', 'grpc-health-check']) },
  },
  {
    files: ['services/gateway/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': restrictedImports(['express']) },
  },
  {
    files: ['libs/telemetry/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': restrictedImports(telemetry) },
  },
  {
    files: ['services/lagoon/src/config/**/*.ts', 'services/lagoon/src/config*.ts'],
    ignores: ['**/*.test.ts'],
    rules: { 'no-restricted-imports': restrictedImports(['zod']) },
  },
);
