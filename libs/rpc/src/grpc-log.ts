import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

/** Everything grpc-js would print reaches us as an error too; its own lines on stderr would not be JSON. */
export function quietGrpc(): void {
  setLogVerbosity(logVerbosity.NONE);
}
