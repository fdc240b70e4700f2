import type { AdapterNeed, AdapterServer } from '../../src/testing/adapter.ts'

type Handler = (request: Request) => Promise<Response>

// What is used of the two runtimes' own types.

interface BunLike {
  serve(options: {
    port: number
    hostname: string
    idleTimeout: number
    maxRequestBodySize: number
    fetch: Handler
  }): {
    readonly port: number
    stop(closeActiveConnections?: boolean): Promise<void>
  }
}

interface DenoLike {
  serve(
    options: { port: number; hostname: string; signal: AbortSignal; onListen(): void },
    handler: Handler,
  ): { readonly addr: { readonly port: number }; readonly finished: Promise<void>; shutdown(): Promise<void> }
}

/** Serves a handler on a free port of this machine, with the runtime's own server. */
export async function serve(handler: Handler): Promise<AdapterServer> {
  const { Bun: bun, Deno: deno } = globalThis as { Bun?: BunLike; Deno?: DenoLike }
  if (bun !== undefined) return serveOnBun(bun, handler)
  if (deno !== undefined) return serveOnDeno(deno, handler)
  throw new Error('This is neither Bun nor Deno. Run it with one of them.')
}

/** What the runtime can't do, and why. */
export const lacks: Partial<Record<AdapterNeed, string>> =
  'Bun' in globalThis
    ? {
        'spelling of headers':
          'Bun sends a list of well-known names first, in the case of its own, and the others after',
      }
    : {}

function serveOnBun(bun: BunLike, fetch: Handler): AdapterServer {
  const server = bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 60,
    maxRequestBodySize: 64 * 1024 * 1024,
    fetch,
  })
  return { port: server.port, drained: () => server.stop(), close: () => server.stop(true) }
}

function serveOnDeno(deno: DenoLike, handler: Handler): AdapterServer {
  const abort = new AbortController()
  const server = deno.serve(
    { port: 0, hostname: '127.0.0.1', signal: abort.signal, onListen: () => {} },
    handler,
  )
  let drained = false
  return {
    port: server.addr.port,
    async drained() {
      await server.shutdown()
      drained = true
    },
    // To abort what has ended is an error here.
    close: () => drained || abort.abort(),
  }
}
