import { randomUUID } from 'node:crypto'

let serial = 0

/**
 * Fills `{{uuid}}`, `{{marker}}`, `{{now}}` and `{{n}}`. Bodies without a placeholder are left byte for byte
 * as they are, valid UTF-8 or not.
 */
export function fill(template: Buffer, marker: string): Buffer {
  if (!template.includes('{{')) return template
  serial += 1
  const text = template
    .toString('utf8')
    .replaceAll('{{marker}}', marker)
    .replaceAll('{{uuid}}', () => randomUUID())
    .replaceAll('{{now}}', () => new Date().toISOString())
    .replaceAll('{{n}}', String(serial))
  return Buffer.from(text, 'utf8')
}
