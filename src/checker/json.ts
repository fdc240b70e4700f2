export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** Parses JSON, or says `undefined`: a JSON text is never `undefined`. */
export function parseJson(text: string): Json | undefined {
  try {
    // JSON.parse gives exactly the values that Json lists.
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

export function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** RFC 6901. */
export function atPointer(value: Json | undefined, pointer: string): Json | undefined {
  let current = value
  for (const step of steps(pointer)) {
    if (Array.isArray(current)) current = current[Number(step)]
    else if (isObject(current) && Object.hasOwn(current, step)) current = current[step]
    else return undefined
  }
  return current
}

/** A copy with the value at the pointer set, making objects on the way. */
export function setPointer(value: Json | undefined, pointer: string, to: Json): Json {
  const [first, ...rest] = steps(pointer)
  if (first === undefined) return to
  return setStep(value, first, rest, to)
}

/** Every pointer to a string, number or boolean in the value. */
export function leaves(value: Json, prefix = ''): { pointer: string; value: string | number | boolean }[] {
  if (Array.isArray(value)) return value.flatMap((one: Json, index) => leaves(one, `${prefix}/${index}`))
  if (isObject(value)) {
    return Object.entries(value).flatMap(([name, one]) => leaves(one, `${prefix}/${escapeStep(name)}`))
  }
  return value === null || typeof value === 'object' ? [] : [{ pointer: prefix, value }]
}

function setStep(value: Json | undefined, first: string, rest: readonly string[], to: Json): Json {
  const [next, ...more] = rest
  if (Array.isArray(value)) {
    const copy: Json[] = [...value]
    copy[Number(first)] = next === undefined ? to : setStep(copy[Number(first)], next, more, to)
    return copy
  }
  const object = isObject(value) ? value : {}
  return { ...object, [first]: next === undefined ? to : setStep(object[first], next, more, to) }
}

function steps(pointer: string): string[] {
  if (pointer === '' || pointer === '/') return []
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function escapeStep(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
