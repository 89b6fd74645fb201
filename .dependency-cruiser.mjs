/** The layers of docs/ARCHITECTURE.md, checked by `make check`. */
const layers = [
  ['libs/base'],
  ['libs/text', 'libs/vector', 'libs/format', 'proto'],
  ['libs/object-store', 'libs/cache'],
  ['libs/namespace', 'libs/rpc', 'libs/auth', 'libs/telemetry'],
  ['libs/segment', 'libs/query', 'libs/query-message'],
];

const folders = (list) => `^(${list.join('|')})/`;

/** A package may import its own layer and lower ones; libs/telemetry is used by every layer above L1 through the types of libs/base. */
const layerRules = layers.map((layer, index) => {
  const higher = layers.slice(index + 1).flat();
  return {
    name: `layer-${index}-imports-nothing-higher`,
    severity: 'error',
    from: { path: folders(layer) },
    to: { path: folders([...higher, 'services', 'tests', 'bench']) },
  };
});

export default {
  forbidden: [
    ...layerRules,
    {
      name: 'services-import-no-service',
      comment: 'only services/lagoon knows the others',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: '^services/lagoon/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'generated-messages-stop-at-the-boundary',
      comment: 'libs/namespace and libs/segment know the storage messages, services the others',
      severity: 'error',
      from: { path: '^libs/(query|cache|format|text|vector|object-store)/' },
      to: { path: '^proto/|@bufbuild/protobuf' },
    },
    {
      name: 'no-runtime-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'packages-have-one-door',
      comment: 'relative imports stay inside a package',
      severity: 'error',
      from: { path: '^(libs|services)/([^/]+)/' },
      to: { path: '^(libs|services)/', pathNot: '^$1/$2/', dependencyTypes: ['local'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist|\\.cache)/' },
    tsPreCompilationDeps: 'specify',
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs'],
    },
  },
};
