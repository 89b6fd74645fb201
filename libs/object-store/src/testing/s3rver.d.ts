/** The part of npm `s3rver` that the tests use; the package has no types of its own. */
declare module 's3rver' {
  class S3rver {
    constructor(options: {
      readonly port: number;
      readonly silent: boolean;
      readonly directory: string;
      readonly configureBuckets: ReadonlyArray<{ readonly name: string; readonly configs: readonly string[] }>;
    });
    run(): Promise<{ readonly address: string; readonly port: number }>;
    close(): Promise<void>;
  }
  export default S3rver;
}
