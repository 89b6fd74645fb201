import { isLagoonError, type Log, type LogFields } from '@lagoon/base';
import { destination, type Logger, pino } from 'pino';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;

export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly to: 'stdout' | 'stderr';
}

/**
 * One JSON object a line: `{"level":"info","time":"…","msg":"…",…fields}`. Written synchronously, so that the last
 * line before an exit is there. A field `error` is written with its code, message and stack.
 */
export function createLog(options: LogOptions): Log {
  return createLogTo(options.level, destination({ fd: options.to === 'stdout' ? 1 : 2, sync: true }));
}

export interface LineWriter {
  write(line: string): void;
}

/** The same log into any writer of lines. */
export function createLogTo(level: LogLevel, writer: LineWriter): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: (value: unknown) => describeError(value) },
    },
    writer,
  );
  return fromPino(logger);
}

function fromPino(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    child: (fields: LogFields) => fromPino(logger.child(fields)),
  };
}

const causeDepthMax = 4;

function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'bigint' ? String(error) : error;
  const described: Record<string, unknown> = { name: error.name, message: error.message };
  if (isLagoonError(error)) {
    described.code = error.code;
    if (error.reason !== undefined) described.reason = error.reason;
  }
  described.stack = error.stack;
  if (error.cause !== undefined && depth < causeDepthMax) described.cause = describeError(error.cause, depth + 1);
  return described;
}
