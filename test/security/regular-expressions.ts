// Finds the regular expressions of a TypeScript source without running it.

/** A slash after one of these begins a regular expression, and after anything else it divides. */
const before = /(?:^|[=(,:;!&|?{}[\n+]|=>|\breturn|\bcase|\btypeof)\s*$/

/** Every regular expression that a source writes between slashes. */
export function regularExpressionsIn(source: string): RegExp[] {
  const found: RegExp[] = []
  let at = 0
  let code = ''
  while (at < source.length) {
    const skipped = skip(source, at, code)
    if (skipped.pattern !== undefined) found.push(skipped.pattern)
    code = (code + skipped.code).slice(-40)
    at = skipped.end
  }
  return found
}

interface Skipped {
  readonly end: number
  /** What stands for it in the code before the next slash. */
  readonly code: string
  readonly pattern?: RegExp
}

function skip(source: string, at: number, code: string): Skipped {
  const two = source.slice(at, at + 2)
  if (two === '//') return { end: indexOrEnd(source, '\n', at), code: '' }
  if (two === '/*') return { end: indexOrEnd(source, '*/', at + 2) + 2, code: '' }
  const character = source[at] ?? ''
  if (character === "'" || character === '"') return { end: stringEnd(source, at, character), code: 'x' }
  if (character === '/' && before.test(code)) return literal(source, at)
  // Templates are read as code: what they hold in braces is.
  return { end: at + 1, code: character }
}

function literal(source: string, start: number): Skipped {
  let inClass = false
  for (let at = start + 1; at < source.length; at += 1) {
    const character = source[at]
    if (character === '\n') break
    if (character === '\\') at += 1
    else if (character === '[') inClass = true
    else if (character === ']') inClass = false
    else if (character === '/' && !inClass) {
      const flags = /^[a-z]*/.exec(source.slice(at + 1, at + 10))?.[0] ?? ''
      // A path in a template, such as /usr/bin.
      if (!/^[dgimsuvy]*$/.test(flags)) break
      return {
        end: at + 1 + flags.length,
        code: 'x',
        pattern: new RegExp(source.slice(start + 1, at), flags),
      }
    }
  }
  return { end: start + 1, code: '/' }
}

function stringEnd(source: string, start: number, quote: string): number {
  for (let at = start + 1; at < source.length; at += 1) {
    if (source[at] === '\\') at += 1
    // An apostrophe in a template is no string: none is longer than its line.
    else if (source[at] === quote || source[at] === '\n') return at + 1
  }
  return source.length
}

function indexOrEnd(source: string, text: string, from: number): number {
  const found = source.indexOf(text, from)
  return found === -1 ? source.length : found
}
