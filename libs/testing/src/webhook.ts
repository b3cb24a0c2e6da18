/** A receiver of webhooks: an emergency desk's, a biller's. Keeps what came, answers as told. */
import { createServer } from 'node:http'

export interface ReceivedHook {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** parsed when it is JSON */
  readonly json: unknown
}

export interface Webhook {
  readonly url: string
  readonly received: readonly ReceivedHook[]
  /** Status of the next answers, default 204. */
  answerWith(status: number): void
  /** The first one that fits, also of those already here. */
  next(fits?: (hook: ReceivedHook) => boolean, timeoutMs?: number): Promise<ReceivedHook>
  close(): Promise<void>
}

const MOST_BYTES = 1_000_000

export async function startWebhook(at: { host?: string; port?: number } = {}): Promise<Webhook> {
  const host = at.host ?? '127.0.0.1'
  const received: ReceivedHook[] = []
  const watchers = new Set<() => void>()
  let status = 204
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of request) {
      size += (chunk as Buffer).length
      if (size <= MOST_BYTES) chunks.push(chunk as Buffer)
    }
    const body = Buffer.concat(chunks).toString()
    const { method = '', url = '', headers } = request
    received.push({ method, path: url, headers, body, json: parse(body) })
    response.writeHead(status).end()
    for (const look of watchers) look()
  })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(at.port ?? 0, host, () => done())
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://${host}:${port}`,
    received,
    answerWith(next) {
      status = next
    },
    next: (fits = () => true, timeoutMs = 15_000) =>
      new Promise((resolve, reject) => {
        const done = () => {
          watchers.delete(look)
          clearTimeout(timer)
        }
        const look = () => {
          const found = received.find(fits)
          if (!found) return
          done()
          resolve(found)
        }
        const timer = setTimeout(() => {
          done()
          reject(new Error(`no webhook came within ${timeoutMs} ms`))
        }, timeoutMs)
        watchers.add(look)
        look()
      }),
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
