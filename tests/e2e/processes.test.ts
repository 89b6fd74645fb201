import { startFourOnS3, startOnDirectory, startOnS3 } from '../support/process-target.ts';
import { describeDialect } from './dialect-suite.ts';

describeDialect('the npm client of the dialect: one process on a directory', startOnDirectory);
describeDialect('the npm client of the dialect: one process on S3', startOnS3);
describeDialect('the npm client of the dialect: a process per role on one bucket of S3', startFourOnS3);
