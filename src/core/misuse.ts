/** Likely mistakes, each reported once per engine. Silence one by its code with the `silence` option. */
export const misuseTexts = {
  'memory-store-in-production':
    'Records live in the memory of this process: a restart forgets them and other instances do not see them. Give a shared "store".',
  'mounted-twice':
    'The middleware is mounted twice on this route; the outer one guards it and the inner one does nothing.',
  'response-began':
    'The response had already begun when the request reached hapax, so it could not be guarded. Mount hapax before whatever answers.',
  'cors-after': 'A CORS header was set after hapax ran, so replays lack it. Mount cors() before hapax.',
} as const satisfies Record<string, string>

export type MisuseCode = keyof typeof misuseTexts

export interface Logger {
  warn(message: string): void
}

/** The default logger: `process.emitWarning`, so that `--trace-warnings` shows where it came from. */
export const processWarnings: Logger = {
  warn: (message) => process.emitWarning(message, { type: 'HapaxWarning' }),
}

/** The user's logger, made safe: it is called in the middle of a claim, which its failure must not undo. */
export function safely(logger: Logger): Logger {
  return {
    warn(message) {
      try {
        logger.warn(message)
      } catch {
        processWarnings.warn(message)
      }
    },
  }
}

export class Misuse {
  readonly #logger: Logger
  readonly #settled: Set<MisuseCode>

  constructor(logger: Logger, silence: readonly MisuseCode[]) {
    this.#logger = logger
    this.#settled = new Set(silence)
  }

  report(code: MisuseCode): void {
    if (this.#settled.has(code)) return
    this.#settled.add(code)
    this.#logger.warn(`${misuseTexts[code]} [${code}: docs/misuse.md#${code}]`)
  }
}
