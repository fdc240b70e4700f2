import type { AxiosInstance, AxiosResponse, InternalAxiosRequestConfig } from 'axios'
import { streamRefused } from './fetch/body.ts'
import { originOf, safeMethods } from './fetch/client.ts'
import { keyField } from './fetch/key.ts'
import { type ClientOptions, type ClientSettings, readClientOptions } from './fetch/options.ts'
import { pause } from './fetch/pause.ts'
import { type AnsweredProblem, asProblem } from './fetch/problem.ts'
import { Schedule } from './fetch/schedule.ts'

/** The options of {@link idempotentAxios}: those of `createClient` that are not about `fetch`. */
export type AxiosOptions = Omit<ClientOptions, 'fetch' | 'wholeAnswer' | 'on'>

/**
 * Gives an axios instance keys and safe retries, by interceptors: the same key and the same bytes on every attempt of
 * an unsafe request, and the same rules for what is sent again as `createClient` has. Returns the instance.
 *
 * Add it after your own interceptors. A request that has the key's header already keeps it: that is how an intent is
 * repeated. When no answer comes, the error is that of axios, with the key in `error.config.headers`.
 *
 * It takes your word that the server honours keys: to one that ignores them, a retry is a second purchase.
 *
 * @throws {ClientError} `invalid-option`; and from a request `body-not-repeatable` for a stream.
 * @example
 * const api = idempotentAxios(axios.create({ baseURL: 'https://api.example' }), { deadline: '30s' })
 * await api.post('/orders', { item: 'book' })
 */
export function idempotentAxios<Instance extends AxiosInstance>(
  instance: Instance,
  options: AxiosOptions = {},
): Instance {
  const settings = readClientOptions(options)
  /** Origins that have shown that they honour keys. */
  const proven = new Set<string>()

  instance.interceptors.request.use(async (given) => {
    const config: KeyedConfig = given
    if (config.hapax === undefined) {
      const origin = originOf(instance.getUri(config))
      const unsafe = !safeMethods.has((config.method ?? 'get').toUpperCase())
      if (unsafe) await prepare(config, settings)
      const supported = () => !unsafe || !settings.requireSupport || proven.has(origin)
      config.hapax = new Attempts(new Schedule(settings, supported), config.timeout ?? 0, origin)
    }
    config.timeout = config.hapax.timeoutMs
    return config
  })

  instance.interceptors.response.use(
    // Where validateStatus lets more pass than success.
    (response) => again(response.config, response, response),
    (error: unknown) => {
      if (!isAxiosError(error) || error.config === undefined) throw error
      const { response, config, code } = error
      // Node's adapter gives what it had got of an answer that broke midway.
      const whole = response !== undefined && response.data !== undefined
      if (!whole && /^ERR_(?!NETWORK|BAD_RESPONSE)/.test(code ?? '')) throw error
      return again(config, whole ? response : undefined, error)
    },
  )
  return instance

  /** Sends the request once more where that may help; else the outcome is what it was. */
  async function again(
    config: KeyedConfig,
    response: AxiosResponse | undefined,
    outcome: unknown,
  ): Promise<AxiosResponse> {
    const { hapax: attempts } = config
    const header = (name: string) => headerOf(response, name)
    if (attempts !== undefined && header('idempotency-expires') !== undefined) proven.add(attempts.origin)
    const waitMs =
      response === undefined
        ? attempts?.schedule.afterFailure()
        : attempts?.schedule.afterAnswer({ status: response.status, header, problem: problemIn(response) })
    if (attempts === undefined || waitMs === undefined) {
      if (outcome === response && response !== undefined) return response
      throw outcome
    }
    await pause(waitMs, attempts.schedule.leftMs, signalOf(config))
    // The bytes are made already.
    return instance.request({ ...config, transformRequest: [] })
  }
}

/**
 * What a hapax server said instead of running the request: of an axios error or response.
 *
 * @example
 * api.post('/orders', cart).catch((error) => {
 *   if (axiosProblem(error)?.code === 'outcome-unknown') return showOrders()
 *   throw error
 * })
 */
export function axiosProblem(errorOrResponse: unknown): AnsweredProblem | undefined {
  if (isAxiosError(errorOrResponse)) return errorOrResponse.response && problemIn(errorOrResponse.response)
  const isResponse =
    typeof errorOrResponse === 'object' && errorOrResponse !== null && 'status' in errorOrResponse
  // Only axios has answers with a status, headers and data.
  return isResponse ? problemIn(errorOrResponse as AxiosResponse) : undefined
}

/** What has to outlive one attempt. An instance of a class, since axios copies plain objects with each request. */
class Attempts {
  readonly schedule: Schedule
  readonly origin: string
  readonly #ownTimeoutMs: number

  constructor(schedule: Schedule, ownTimeoutMs: number, origin: string) {
    this.schedule = schedule
    this.origin = origin
    this.#ownTimeoutMs = ownTimeoutMs
  }

  get timeoutMs(): number {
    const { attemptMs } = this.schedule
    // Axios takes 0 for none.
    return Math.max(
      1,
      Math.ceil(this.#ownTimeoutMs > 0 ? Math.min(attemptMs, this.#ownTimeoutMs) : attemptMs),
    )
  }
}

type KeyedConfig = InternalAxiosRequestConfig & { hapax?: Attempts }

async function prepare(config: KeyedConfig, { header, format, newKey }: ClientSettings): Promise<void> {
  if (!config.headers.has(header)) config.headers.set(header, keyField(newKey(), format))
  const { data } = config
  if (data instanceof FormData) {
    // Each encoding has another boundary.
    const encoded = new Response(data)
    config.headers.set('Content-Type', encoded.headers.get('content-type'))
    config.data = await encoded.arrayBuffer()
  } else if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) {
    config.data = await new Blob([data as Uint8Array<ArrayBuffer>]).arrayBuffer()
  }
  const transforms = [config.transformRequest ?? []].flat()
  config.transformRequest = [
    ...transforms,
    (body: unknown) => {
      if (isStream(body)) throw streamRefused()
      return body
    },
  ]
}

function isStream(body: unknown): boolean {
  return typeof body === 'object' && body !== null && ('pipe' in body || 'getReader' in body)
}

interface AxiosErrorView {
  readonly config?: KeyedConfig
  readonly code?: string
  readonly response?: AxiosResponse
}

function isAxiosError(error: unknown): error is AxiosErrorView {
  return typeof error === 'object' && error !== null && 'isAxiosError' in error && error.isAxiosError === true
}

function headerOf(response: AxiosResponse | undefined, name: string): string | undefined {
  const value: unknown = response?.headers[name]
  return typeof value === 'string' ? value : undefined
}

function problemIn(response: AxiosResponse): AnsweredProblem | undefined {
  const { status, data } = response
  if (status < 400 || !headerOf(response, 'content-type')?.startsWith('application/problem+json'))
    return undefined
  return asProblem(data, status)
}

function signalOf({ signal }: KeyedConfig): AbortSignal | undefined {
  // Axios asks less of a signal than it is.
  return signal instanceof AbortSignal ? signal : undefined
}
