import type { IncomingMessage } from 'node:http';
import { LagoonError } from '@lagoon/base';
import type { ServerOptions } from '../client/server-request.ts';
import type { Command, CommandDeps } from './command.ts';
import { addServerFlags, namespacePath, type ServerFlags } from './server-flags.ts';

interface Flags extends ServerFlags {
  readonly output?: string;
}

/** How often an export that was cut goes on. */
const resumeCountMax = 20;

/** Writes all documents of a namespace as JSON lines. */
export const exportCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('export')
      .argument('<namespace>', 'the namespace')
      .summary('write all documents as JSON lines, as they are at one instant')
      .description(
        'In the order of their ids, all of one instant while writes go on; lagoon import takes them again. An export that\n' +
          'is cut goes on where it was.',
      )
      .option('--output <file>', 'write to a file instead of the standard output');
    addServerFlags(command).action((namespace: string, flags: Flags) => run(namespace, flags, deps));
  },
};

async function run(namespace: string, flags: Flags, deps: CommandDeps): Promise<void> {
  const { createWriteStream } = await import('node:fs');
  const file = flags.output === undefined ? undefined : createWriteStream(flags.output);
  const out = file ?? process.stdout;
  const { finished, pipeline } = await import('node:stream/promises');
  let count = 0;
  const lines = async function* () {
    for await (const line of exportedLines(namespace, flags, deps)) {
      count++;
      yield `${line}\n`;
    }
  };
  await pipeline(lines, out, { end: file !== undefined });
  if (file !== undefined) await finished(file).catch(() => {});
  deps.printError(`${count} documents`);
}

/** Whole lines only: one that was cut comes again. */
async function* exportedLines(namespace: string, options: ServerOptions, deps: CommandDeps): AsyncGenerator<string> {
  let last: string | undefined;
  let lease = '';
  for (let attempt = 0; attempt <= resumeCountMax; attempt++) {
    const { openAnswer } = await import('../client/server-request.ts');
    const from = last === undefined ? '' : `&after=${encodeURIComponent(idOf(last))}`;
    const path = `${namespacePath(namespace)}/export?page_size=1000&lease=${lease}${from}`;
    const answer = await openAnswer(options, { method: 'GET', path }, deps.stopping);
    lease = String(answer.headers['lagoon-lease'] ?? '');
    try {
      for await (const line of wholeLines(answer)) {
        last = line;
        yield line;
      }
      return;
    } catch (error) {
      deps.stopping.throwIfAborted();
      deps.printError(`the export was cut, going on: ${String(error)}`);
    }
  }
  throw new LagoonError('unavailable', 'the export was cut too often', { context: { namespace } });
}

async function* wholeLines(answer: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (!answer.complete || rest !== '') throw new LagoonError('unavailable', 'the answer ended early');
}

/** As the line has it: a number may have more digits than a float holds, and the id is the first field. */
function idOf(line: string): string {
  const match = /^\{"id":("(?:[^"\\]|\\.)*"|\d+)/.exec(line);
  if (match?.[1] === undefined) throw new LagoonError('internal', 'a line of an export without an id');
  return match[1];
}
