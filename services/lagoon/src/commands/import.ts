import { createRandomId, LagoonError } from '@lagoon/base';
import type { DocumentSource } from '../import/document-source.ts';
import type { Command, CommandDeps } from './command.ts';

interface Flags {
  readonly namespace: string;
  readonly source: string;
  readonly url: string;
  readonly apiKey?: string;
  readonly schema?: string;
  readonly batchRows: string;
  readonly concurrency: string;
  readonly limit?: string;
  readonly state?: string;
  readonly restart: boolean;
}

const sources = ['jsonl', 'glove', 'wordnet'] as const;
const batchBytesMax = 16 << 20;

const examples = `
Examples:
  lagoon import --namespace docs documents.jsonl
  lagoon import --namespace docs --schema '{"body":{"type":"string","full_text_search":true}}' documents.jsonl
  lagoon import --namespace glove --source glove        341,479 words with 100-dimensional vectors
  lagoon import --namespace wordnet --source wordnet    117,791 definitions with attributes

An import that was stopped goes on where it was when it is started again.
`;

/** Brings documents into a namespace of a running server, with progress, and resumes where an earlier run stopped. */
export const importCommand: Command = {
  declare: (program, deps) => {
    program
      .command('import')
      .argument(
        '[file]',
        'JSON lines, one document each: {"id": …, "vector": […], "attribute": …}; only for --source jsonl',
      )
      .summary('bring documents into a namespace, with progress, resumable')
      .description('Sends documents to a running Lagoon over HTTP, in batches, several at a time.')
      .requiredOption('--namespace <name>', 'the namespace that takes the documents')
      .option('--source <source>', `where they come from: ${sources.join(', ')}`, 'jsonl')
      .option('--url <url>', 'the server', 'http://127.0.0.1:8080')
      .option('--api-key <key>', 'sent as a bearer token')
      .option(
        '--schema <json>',
        'schema to declare with the documents, in the form of the HTTP API; only for --source jsonl',
      )
      .option('--batch-rows <count>', 'documents of one request, 1 to 100000', '5000')
      .option('--concurrency <count>', 'requests under way at once, 1 to 64', '4')
      .option('--limit <count>', 'stop after about so many documents')
      .option('--state <file>', 'where to note how far it came (default: .lagoon/import/<namespace>.json)')
      .option('--restart', 'begin at the start even if an earlier run came further', false)
      .addHelpText('after', examples)
      .action((file: string | undefined, flags: Flags) => run(file, flags, deps));
  },
};

async function run(file: string | undefined, flags: Flags, deps: CommandDeps): Promise<void> {
  const [
    { runImport },
    { readImportState, writeImportState },
    { createProgressDisplay, formatRate },
    { createWriteClient },
  ] = await Promise.all([
    import('../import/import-run.ts'),
    import('../import/import-state.ts'),
    import('../import/progress-bar.ts'),
    import('../import/write-client.ts'),
  ]);
  const concurrency = integerFlag('--concurrency', flags.concurrency, 1, 64);
  const rowsPerBatch = integerFlag('--batch-rows', flags.batchRows, 1, 100_000);
  const rowCountMax =
    flags.limit === undefined ? Number.POSITIVE_INFINITY : integerFlag('--limit', flags.limit, 1, 1e12);
  const url = urlFlag(flags.url);
  const source = await openSource(file, flags);
  const statePath = flags.state ?? `.lagoon/import/${flags.namespace}.json`;
  using client = createWriteClient(deps, {
    url,
    namespace: flags.namespace,
    apiKey: flags.apiKey,
    connectionCount: concurrency,
  });
  using display = createProgressDisplay(deps.clock, flags.namespace, process.stderr);
  const result = await runImport(
    source,
    {
      url,
      namespace: flags.namespace,
      rowsPerBatch,
      bytesPerBatchMax: batchBytesMax,
      concurrency,
      rowCountMax,
    },
    {
      clock: deps.clock,
      client,
      loadState: async () => (flags.restart ? undefined : await readImportState(statePath)),
      saveState: (state) => writeImportState(statePath, state),
      onProgress: (progress) => display.update(progress),
      runId: createRandomId(deps.random),
    },
    deps.stopping,
  );
  display[Symbol.dispose]();
  const brought = result.rowCount - result.resumedRowCount;
  const before =
    result.resumedRowCount === 0 ? '' : ` (${grouped(result.resumedRowCount)} were there from an earlier run)`;
  const rate =
    brought === 0
      ? ''
      : ` in ${(result.elapsedMs / 1000).toFixed(1)} s, ${formatRate(result.rowsPerSecond)} documents/s`;
  deps.print(`${flags.namespace}: ${grouped(brought)} documents brought${rate}${before}`);
}

async function openSource(file: string | undefined, flags: Flags): Promise<DocumentSource> {
  switch (flags.source) {
    case 'jsonl': {
      if (file === undefined) throw new LagoonError('invalid_argument', 'give the file of JSON lines to import');
      const { openJsonlSource } = await import('../import/jsonl-source.ts');
      return openJsonlSource(file, schemaFlag(flags.schema));
    }
    case 'glove':
      return (await import('../import/glove-source.ts')).openGloveSource();
    case 'wordnet':
      return (await import('../import/wordnet-source.ts')).openWordnetSource();
    default:
      throw new LagoonError(
        'invalid_argument',
        `--source: there is no "${flags.source}"; known are ${sources.join(', ')}`,
      );
  }
}

function schemaFlag(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LagoonError('invalid_argument', '--schema: not JSON', { cause });
  }
}

function urlFlag(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new LagoonError('invalid_argument', `--url: expected http://… or https://…, not ${text}`);
  }
  return text;
}

function integerFlag(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new LagoonError('invalid_argument', `${name}: expected an integer from ${min} to ${max}, not ${text}`);
  }
  return value;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
