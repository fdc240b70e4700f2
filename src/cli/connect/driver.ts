import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Files beside which to look for a driver: the user's own program first, then hapax itself. */
const places = [join(process.cwd(), 'any.js'), fileURLToPath(import.meta.url)]

/** The first of these packages that is installed. hapax brings no driver. */
export async function installedDriver<Name extends string>(
  names: readonly Name[],
  from: readonly string[] = places,
): Promise<{ readonly name: Name; readonly module: object } | undefined> {
  for (const place of from) {
    for (const name of names) {
      const path = resolved(name, place)
      if (path !== undefined) return { name, module: (await import(pathToFileURL(path).href)) as object }
    }
  }
  return undefined
}

export function withoutPassword(text: string): string {
  const url = new URL(text)
  if (url.password !== '') url.password = '***'
  return url.href
}

function resolved(name: string, place: string): string | undefined {
  try {
    return createRequire(place).resolve(name)
  } catch {
    return undefined
  }
}
