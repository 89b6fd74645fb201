import { shareTestS3 } from '../../libs/object-store/src/testing/test-s3.ts';

/** One S3 server for all workers of the run, started when the first test asks for it. */
export default async function setUp() {
  globalThis.lagoonTestS3 = await shareTestS3();
}
