import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Request, RequestHandler } from 'express'

/** Refuses what the sender has not signed (standardwebhooks.com). Stands behind `express.raw`, before hapax. */
export function requireSignature(secret: string, toleranceMs = 5 * 60_000): RequestHandler {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return (req: Request<object, unknown, unknown>, res, next) => {
    const [id, sentAt, signatures] = ['id', 'timestamp', 'signature'].map((name) =>
      req.get(`webhook-${name}`),
    )
    const isFresh = Math.abs(Date.now() - Number(sentAt) * 1_000) <= toleranceMs
    const body = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0)
    const expected = createHmac('sha256', key).update(`${id}.${sentAt}.`).update(body).digest()
    const isSigned = signatures?.split(' ').some((each) => isEqual(each.replace(/^v1,/, ''), expected))
    if (id !== undefined && isFresh && isSigned === true) next()
    else res.status(401).json({ error: 'This webhook is not signed by its sender.' })
  }
}

/** Options of hapax: the key is the signed id, and a delivery counts as the same whatever its envelope says. */
export const signedEvent = {
  required: true,
  key: (req: Request) => req.get('webhook-id'),
  fingerprint: (req: Request) => req.get('webhook-id'),
}

function isEqual(signature: string, expected: Buffer): boolean {
  const given = Buffer.from(signature, 'base64')
  return given.length === expected.length && timingSafeEqual(given, expected)
}
