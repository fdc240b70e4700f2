/**
 * Where the keys of pending intents lie. One verb, so that each change is one step, also when another tab or
 * process changes the same entry.
 */
export interface IntentStorage {
  /**
   * Replaces the text kept under `name` by what `next` makes of it, in one step. `undefined` stands for no text, before
   * and after. Gives what is kept then. Throws, or rejects, when it can't.
   */
  change(
    name: string,
    next: (kept: string | undefined) => string | undefined,
  ): string | undefined | Promise<string | undefined>
}

/** Keeps intents for as long as the page or the process lives. */
export function memoryStorage(): IntentStorage {
  const texts = new Map<string, string>()
  return {
    change(name, next) {
      const text = next(texts.get(name))
      if (text === undefined) texts.delete(name)
      else texts.set(name, text)
      return text
    },
  }
}
