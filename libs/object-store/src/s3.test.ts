import { afterAll, beforeAll } from '@jest/globals';
import { createSystemClock, createSystemRandom } from '@lagoon/base';
import { openStore } from './open-store.ts';
import { describeObjectStoreContract } from './testing/contract.ts';
import { startTestS3, type TestS3 } from './testing/test-s3.ts';

const deps = { clock: createSystemClock(), random: createSystemRandom() };
let s3: TestS3;
let bucket: string;

beforeAll(async () => {
  s3 = await startTestS3();
  bucket = await s3.createBucket();
}, 600_000);
afterAll(() => s3?.stop());

describeObjectStoreContract(
  'S3',
  (space) => openStore(`s3://${bucket}/${space}`, deps, { s3: { endpoint: s3.endpoint, credentials: s3 } }),
  {
    // MinIO keeps objects as paths: no dot components, no empty ones, none above 255 bytes, and its own bound with the prefix.
    mayRefuse: (key) =>
      key.split('/').some((part) => ['', '.', '..'].includes(part) || Buffer.byteLength(part) > 255) ||
      Buffer.byteLength(key) > 1000,
    nestedKeys: false,
  },
);
