/** So much of the answer of a failure is kept. */
const MAX_BYTES = 64 * 1_024;

/**
 * Reads what matters of the answer of a failure, and frees its connection. Where it breaks off, what came until
 * then.
 *
 * @throws the signal's reason
 */
export async function beginningOf(
  body: AsyncIterable<Uint8Array> | null,
  signal: AbortSignal,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let left = MAX_BYTES;
  try {
    for await (const chunk of body ?? []) {
      const bytes = chunk.subarray(0, left);
      text += decoder.decode(bytes, { stream: true });
      left -= bytes.length;
      if (left === 0) break; // which cancels the rest
    }
  } catch {
    signal.throwIfAborted();
  }
  return text;
}
