import { startReference, type ReferenceOptions } from './server.ts'

/**
 * Serves the reference fixture until SIGTERM or SIGINT, then lets what is running finish. The first line on
 * standard output is JSON with the URLs, for whoever started it.
 */
export async function serveReference(options: ReferenceOptions): Promise<void> {
  const reference = await startReference(options)
  const { url, secondUrl, http2Url, ports } = reference
  process.stdout.write(`${JSON.stringify({ url, secondUrl, http2Url, ports })}\n`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  await reference.close()
}
