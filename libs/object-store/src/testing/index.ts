export { type ContractOptions, describeObjectStoreContract } from './contract.ts';
export { shareTestS3, startTestS3, type TestS3 } from './test-s3.ts';
