import { startOneServer, startServerPerRole } from '../support/server-target.ts';
import { describeDialect } from './dialect-suite.ts';

describeDialect('the npm client of the dialect: one server on a directory', startOneServer);
describeDialect('the npm client of the dialect: a server per role, gRPC between them', startServerPerRole);
