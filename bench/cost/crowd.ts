import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Connections that send one and the same request at once. */
export class Crowd {
  readonly #sockets: readonly Socket[]
  readonly #url: URL

  private constructor(sockets: readonly Socket[], url: URL) {
    this.#sockets = sockets
    this.#url = url
  }

  /** Connects before anything is measured. */
  static async gather(size: number, address: string): Promise<Crowd> {
    const url = new URL(address)
    const sockets: Socket[] = []
    // A server's backlog is not endless.
    for (let index = 0; index < size; index += 1) {
      const socket = connect(Number(url.port), url.hostname)
      await once(socket, 'connect')
      sockets.push(socket.setNoDelay(true))
    }
    return new Crowd(sockets, url)
  }

  /** Resolves to all answers, once the last is there. */
  async send(headers: Readonly<Record<string, string>>, body: string): Promise<readonly CrowdAnswer[]> {
    const lines = Object.entries({ host: this.#url.host, 'content-length': `${body.length}`, ...headers })
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const message = Buffer.from(`POST ${this.#url.pathname} HTTP/1.1\r\n${head}\r\n${body}`)
    const answers = this.#sockets.map((socket) => answerOn(socket))
    for (const socket of this.#sockets) socket.write(message)
    return Promise.all(answers)
  }

  leave(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

export interface CrowdAnswer {
  readonly status: number
  readonly body: string
}

/** Every answer of this benchmark has a Content-Length. */
function answerOn(socket: Socket): Promise<CrowdAnswer> {
  return new Promise((resolve, reject) => {
    let text = ''
    const read = (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const headEnd = text.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, headEnd))?.[1])
      if (text.length < headEnd + 4 + length) return
      settle()
      if (Number.isNaN(length)) reject(new Error('An answer has no Content-Length.'))
      else resolve({ status: Number(text.slice(9, 12)), body: text.slice(headEnd + 4) })
    }
    const fail = () => {
      settle()
      reject(new Error('The server closed a connection before it had answered.'))
    }
    const settle = () => socket.off('data', read).off('close', fail)
    socket.on('data', read).on('close', fail)
  })
}
