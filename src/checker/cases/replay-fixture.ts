import { answerOf, bodyOf, brief, headerOf, headersOf, statusOf } from '../answers.ts'
import type { Case } from '../model.ts'
import { withCaller } from '../requests.ts'
import type { Trial } from '../trial.ts'
import { begin, mustReplay } from './judging.ts'

/** Replays of answers in unusual shapes, which only the fixture can be asked for. */
export const fixtureReplayCases: readonly Case[] = [
  {
    id: 'FID-03',
    level: 'SHOULD',
    safety: false,
    needs: ['fixture'],
    title: 'A binary body',
    why: 'A body that went through a text string comes back broken: a label, a PDF, an image.',
    source: 'draft-07 2.6',
    run: async (trial) => {
      const { request, first } = await begin(trial, { query: { body: 'all256' } })
      await mustReplay(trial, first, await trial.send(request), 'all 256 byte values, four times')
    },
  },
  {
    id: 'FID-04',
    level: 'MUST',
    safety: false,
    needs: ['fixture'],
    title: '204 stays 204',
    why: 'A 204 with a length or a body makes the next answer on the connection unreadable.',
    source: 'RFC 9110 8.6; RFC 9112 6',
    run: emptyAnswer,
  },
  {
    id: 'FID-05',
    level: 'SHOULD',
    safety: false,
    needs: ['fixture'],
    title: 'Empty bodies',
    why: 'An empty answer is an answer: a layer that sees no body and stores nothing runs the request again.',
    source: 'draft-07 2.6',
    run: async (trial) => {
      for (const status of ['200', '201']) {
        const part = await trial.part()
        const { request, first } = await begin(part, { query: { body: 'empty', status } })
        const again = await part.send(request)
        await mustReplay(part, first, again, `${status} without a body`)
        if (headerOf(first, 'location') !== headerOf(again, 'location')) {
          trial.fault(`Location is ${headerOf(again, 'location')}`, headerOf(first, 'location') ?? 'none', [
            first,
            again,
          ])
        }
      }
    },
  },
  {
    id: 'FID-07',
    level: 'SHOULD',
    safety: false,
    needs: ['fixture'],
    title: 'Repeated header lines',
    why: 'Lines that are merged, reordered or re-encoded mean something else.',
    source: 'RFC 9110 5.3',
    run: async (trial) => {
      const hdr = [
        'Link:</a>; rel="next"',
        'Link:</b>; rel="prev"',
        'X-Multi:one, "two, three"',
        'X-Multi:four',
        'X-Latin:caf\u00e9',
      ]
      const { request, first } = await begin(trial, { query: { hdr } })
      const again = await trial.send(request)
      for (const name of ['link', 'x-multi', 'x-latin']) {
        const left = headersOf(first, name)
        const right = headersOf(again, name)
        if (left.join('\n') !== right.join('\n')) {
          trial.fault(`${name}: ${right.join(' | ')}`, left.join(' | '), [first, again])
        }
      }
    },
  },
  {
    id: 'FID-08',
    level: 'BEYOND',
    safety: true,
    needs: ['fixture'],
    title: 'Set-Cookie',
    why: 'Cookies joined into one line are no cookies; a replayed session cookie may revive an ended session.',
    source: 'RFC 9110 5.3; security',
    run: async (trial) => {
      const hdr = ['Set-Cookie:a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT', 'Set-Cookie:b=2; HttpOnly']
      const { request, first } = await begin(trial, { query: { hdr } })
      const again = await trial.send(request)
      const lines = headersOf(again, 'set-cookie')
      if (headersOf(first, 'set-cookie').length !== 2)
        trial.inconclusive('the first answer had not two Set-Cookie lines')
      if (lines.some((line) => line.includes('a=1') && line.includes('b=2'))) {
        trial.fault(`joined: ${lines.join(' | ')}`, 'dropped, or two lines', [first, again])
      }
      trial.card('Set-Cookie', lines.length === 0 ? 'not replayed' : `replayed (${lines.length} lines)`)
      trial.report(lines.length === 0 ? 'dropped' : 'replayed')
      if (trial.target.tenant === undefined) return
      const theirs = await trial.send(withCaller(trial.target, request, 'tenant'))
      if (
        headersOf(theirs, 'set-cookie').some((line) => headersOf(first, 'set-cookie').includes(line)) &&
        trial.sameOutcome(first, theirs)
      ) {
        trial.fault('another tenant got the cookies', 'nothing of another’s', [first, theirs])
      }
    },
  },
  {
    id: 'FID-10',
    level: 'MUST',
    safety: false,
    needs: ['fixture'],
    title: 'Connection fields are not replayed',
    why: 'Fields of one connection say something false on another.',
    source: 'RFC 9110 7.6.1; RFC 9111 3.1',
    run: async (trial) => {
      const hdr = ['Connection:X-Hop', 'X-Hop:1', 'Keep-Alive:timeout=77', 'Proxy-Authenticate:Basic']
      const { request, first } = await begin(trial, { query: { hdr } })
      const again = await trial.send(request)
      const seen = trial.target.options.gateway === true ? [first, again] : [again]
      for (const exchange of seen) {
        const stray = [
          ...(headerOf(exchange, 'x-hop') === undefined ? [] : ['X-Hop']),
          ...(headersOf(exchange, 'connection').some((line) => /x-hop/i.test(line))
            ? ['Connection: X-Hop']
            : []),
          ...(headerOf(exchange, 'keep-alive') === 'timeout=77' ? ['Keep-Alive: timeout=77'] : []),
          ...(headerOf(exchange, 'proxy-authenticate') === undefined ? [] : ['Proxy-Authenticate']),
        ]
        if (stray.length > 0) trial.fault(`${stray.join(', ')} came through`, 'none of them', [exchange])
      }
    },
  },
  {
    id: 'FID-11',
    level: 'MUST',
    safety: true,
    needs: ['fixture'],
    title: 'A streamed answer is replayed with one valid framing',
    why: 'A stored Transfer-Encoding next to a Content-Length is how requests get smuggled.',
    source: 'RFC 9112 6; RFC 9110 8.6',
    seconds: 2,
    run: async (trial) => {
      const { request, first } = await begin(trial, {
        query: { body: 'bytes:5000', chunks: '5', gapMs: '200' },
      })
      const again = await trial.send(request)
      const firstMs = Math.round((first.firstByteAt ?? first.endedAt) - first.sentAt)
      const totalMs = Math.round(first.endedAt - first.sentAt)
      trial.card(
        'streamed answers',
        firstMs < totalMs / 2 ? `streamed (first byte after ${firstMs} of ${totalMs} ms)` : 'buffered',
      )
      const faults = answerOf(again)?.faults ?? []
      if (faults.length > 0) trial.fault(faults.join('; '), 'exactly one valid framing', [first, again])
      await mustReplay(trial, first, again, 'five chunks')
    },
  },
]

async function emptyAnswer(trial: Trial): Promise<void> {
  const { request, first } = await begin(trial, { query: { status: '204' } })
  const connection = await trial.connect(request)
  const again = await trial.sendOn(connection, request)
  if (statusOf(again) !== 204) {
    trial.fault(`the repeat: ${brief(again)}`, '204', [first, again])
    return
  }
  const faults = answerOf(again)?.faults ?? []
  if (faults.length > 0) trial.fault(faults.join('; '), 'neither length nor coding', [again])
  if (headerOf(again, 'connection')?.toLowerCase() === 'close') {
    connection.close()
    return
  }
  const next = await trial.sendOn(connection, request)
  const stray = connection.strayBytes
  connection.close()
  if (stray.length > 0 || statusOf(next) !== 204 || bodyOf(again).length > 0) {
    trial.fault(`the next answer on the connection: ${brief(next)}`, 'a connection that still works', [
      again,
      next,
    ])
  }
  await trial.expectEffects(1, 'three requests', [first, again, next])
}
