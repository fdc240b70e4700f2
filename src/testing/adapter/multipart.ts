import type { RawRequest } from './raw-http.ts'

/** A form with a title and a file, as a browser sends it. */
export function multipart(boundary: string, file: string): RawRequest {
  const parts = [
    'Content-Disposition: form-data; name="title"\r\n\r\nInvoice',
    `Content-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n${file}`,
  ]
  const body = `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`
  return { headers: [['Content-Type', `multipart/form-data; boundary=${boundary}`]], body }
}
