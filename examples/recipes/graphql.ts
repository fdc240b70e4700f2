import { getOperationAST, parse } from 'graphql'

/** True for what is certain to be a GraphQL query: such a request needs no guard. The body must be parsed before. */
export function isQuery(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('query' in body)) return false
  const name = 'operationName' in body ? body.operationName : undefined
  try {
    const document = parse(String(body.query))
    return getOperationAST(document, typeof name === 'string' ? name : undefined)?.operation === 'query'
  } catch {
    return false
  }
}
