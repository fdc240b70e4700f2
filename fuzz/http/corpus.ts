/** Becomes the beginning of a key that no other input has. */
export const keyMark = '@KEY@'

const post = [
  'POST /orders HTTP/1.1',
  'Host: x',
  'Content-Type: application/json',
  `Idempotency-Key: "${keyMark}a"`,
].join('\r\n')
const body = '{"item":17}'
const whole = `${post}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const chunked = `${post}\r\nTransfer-Encoding: chunked\r\n\r\nb;ext="x"\r\n${body}\r\n0\r\nX-Trailer: 1\r\n\r\n`

const requests: readonly string[] = [
  whole,
  chunked,
  // Pipelined: the same request, another payload under the same key, another key.
  whole + whole,
  whole + whole.replace('17', '18'),
  whole + whole.replace('@a"', '@b"') + chunked,
  // Two framings, and two lengths.
  `${post}\r\nContent-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n${body}\r\n0\r\n\r\n`,
  `${post}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${whole}`,
  `${post}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${whole}`,
  `${post}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${whole}`,
  `${post}\r\nContent-Length: ${body.length}\r\nContent-Length: 0\r\n\r\n${body}`,
  `${post}\r\nContent-Length: +11\r\n\r\n${body}`,
  // The key twice, folded, empty, with what a line may not have.
  whole.replace('Idempotency-Key', `Idempotency-Key: "${keyMark}b"\r\nidempotency-key`),
  whole.replace(': "', ':\r\n "'),
  whole.replace(`"${keyMark}a"`, ''),
  whole.replace(`${keyMark}a`, `${keyMark}\u0000`),
  whole.replaceAll('\r\n', '\n'),
  whole.replace('\r\n', '\r'),
  // Cut off, waiting for a sign, without a version that keeps the connection.
  whole.slice(0, -4),
  whole.replace('Host', 'Expect: 100-continue\r\nHost'),
  whole.replace('HTTP/1.1', 'HTTP/1.0'),
  whole.replace('Host', 'Connection: close\r\nHost'),
  whole.replace('Host: x\r\n', ''),
  whole.replace('Host', 'Content-Encoding: gzip\r\nHost'),
  whole.replace('POST', 'PATCH').replace('application/json', 'multipart/form-data; boundary=x'),
  whole.replace('Host', 'Upgrade: websocket\r\nConnection: Upgrade\r\nHost'),
  whole.replace('/orders', 'http://other/orders'),
  whole.replace('/orders', '//'),
  whole.replace('/orders', '/%zz?a[]=1#x'),
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
]

const waysToSend = 4

export const httpCorpus: readonly Buffer[] = requests.flatMap((request) =>
  Array.from({ length: waysToSend }, (_, how) =>
    Buffer.concat([Buffer.of(how), Buffer.from(request, 'latin1')]),
  ),
)

export const httpTokens: readonly string[] = [
  '\r\n\r\n',
  '\r\n ',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  `Idempotency-Key: ${keyMark}c\r\n`,
  'Connection: keep-alive\r\n',
  'Expect: 100-continue\r\n',
  'Accept-Encoding: gzip;q=0\r\n',
  '0\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  keyMark,
]
