import { startLocalStack } from '../support/local-stack.ts';
import { describeDialect } from './dialect-suite.ts';

describeDialect('the npm client of the dialect, all roles in this process', startLocalStack);
