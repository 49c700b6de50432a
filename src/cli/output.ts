/**
 * Waits until others have read what was written: a pipe takes 64 KiB at once, and what a program still holds when it exits is lost.
 * Whoever does not want to read any more is not waited for.
 */
export async function allWritten(...streams: readonly NodeJS.WriteStream[]): Promise<void> {
  await Promise.all(streams.map(written));
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((done) => {
    stream.on("error", () => done());
    stream.write("", () => done());
  });
}
