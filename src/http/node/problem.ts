import type { ServerResponse } from 'node:http'
import { type Problem, problemDocument } from '../../protocol/problem.ts'

/** Answers with a problem document (RFC 9457). */
export function sendProblem(response: ServerResponse, problem: Problem, base: string): void {
  const body = Buffer.from(JSON.stringify(problemDocument(problem, base)))
  response.statusCode = problem.status
  response.setHeader('Content-Type', 'application/problem+json')
  response.setHeader('Content-Length', body.length)
  response.end(body)
}
