import { createSystemClock, createSystemRandom } from '@lagoon/base';
import { runCli } from './cli.ts';

/** The only place that reads the command line and the environment, and that makes the real clock and randomness. */
const stop = new AbortController();

/** The first signal asks to finish, the second one does not ask. */
function onSignal(signal: 'SIGTERM' | 'SIGINT'): void {
  if (stop.signal.aborted) {
    process.exit(signal === 'SIGINT' ? 130 : 143);
  }
  stop.abort(new DOMException(`got ${signal}`, 'AbortError'));
}

process.on('SIGTERM', () => onSignal('SIGTERM'));
process.on('SIGINT', () => onSignal('SIGINT'));

const clock = createSystemClock();

process.exitCode = await runCli(process.argv.slice(2), {
  clock,
  random: createSystemRandom(),
  environment: process.env,
  print: (line) => process.stdout.write(`${line}\n`),
  printError: (line) => process.stderr.write(`${line}\n`),
  stopping: stop.signal,
});

// Everything is closed; a socket that some library still holds must not keep the process.
clock.setTimer(1_000, () => process.exit());
