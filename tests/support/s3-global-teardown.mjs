/** Stops the S3 server of the run, if any test asked for it. */
export default async function tearDown() {
  await globalThis.lagoonTestS3?.stop();
}
