import { isObject, leaves, parseJson, setPointer } from './json.ts'
import type { Target } from './target.ts'

/**
 * Ways to change one value of the body, gentlest first: the user's own other body, a number raised, a string
 * lengthened, a boolean turned, a byte appended. The first one that the target accepts is used throughout.
 */
export function possibleChanges(target: Target): ((body: Buffer) => Buffer)[] {
  const { otherBody, body } = target
  if (otherBody !== undefined) return [() => otherBody]
  if (body === undefined) return []
  const json = parseJson(body.toString('utf8'))
  if (!isObject(json)) return [changeText]
  const places = leaves(json).filter(({ value }) => !String(value).includes('{{'))
  const numbers = places.filter(({ value }) => typeof value === 'number')
  const strings = places.filter(({ value }) => typeof value === 'string')
  const booleans = places.filter(({ value }) => typeof value === 'boolean')
  const ordered = [...numbers, ...strings, ...booleans].map(({ pointer }) => changeAt(pointer))
  return [...ordered, changeAt('/hapaxCheck')]
}

function changeAt(pointer: string): (body: Buffer) => Buffer {
  return (body) => {
    const json = parseJson(body.toString('utf8'))
    if (json === undefined) return changeText(body)
    const place = leaves(json).find((leaf) => leaf.pointer === pointer)
    const value = place?.value
    const changed =
      typeof value === 'number' ? value + 1 : typeof value === 'boolean' ? !value : `${value ?? 'changed'}x`
    return Buffer.from(JSON.stringify(setPointer(json, pointer, changed)))
  }
}

function changeText(body: Buffer): Buffer {
  const text = body.toString('latin1')
  if (/^[^=&\s]+=[^&]*/.test(text)) return Buffer.from(`${text}1`, 'latin1')
  return Buffer.concat([body, Buffer.from('x')])
}
