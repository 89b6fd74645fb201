/** Runs a test's body; when it fails, what the servers logged goes to stderr in front of the failure. */
export async function printingLogs(
  target: () => { readonly logs?: () => string } | undefined,
  body: () => Promise<void>,
): Promise<void> {
  try {
    await body();
  } catch (error) {
    const logs = target()?.logs?.();
    if (logs !== undefined) process.stderr.write(`${logs.split('\n').slice(-200).join('\n')}\n`);
    throw error;
  }
}
