import { isTaken } from './light.ts'
import { isStreamOfNode } from './node-streams.ts'

/** What nobody will read must be taken off its connection, or that is closed, or not free for another request. */
export function discardBody(request: Request): void {
  if (isTaken(request) || request.bodyUsed) return
  const { body } = request
  if (body === null || body.locked) return
  // To cancel it, servers on Node destroy the connection that the answer has to go out on.
  const discarded = isStreamOfNode(body) ? discardRest(body.getReader()) : body.cancel()
  void discarded.catch(() => {})
}

export async function discardRest(reader: ReadableStreamDefaultReader): Promise<void> {
  while (!(await reader.read()).done);
}
