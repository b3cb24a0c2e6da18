/** Moves an actor on a host of the lab. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Host, Lab } from './network.ts'

export interface Actor {
  /** What it got; rejects with its own words when it failed, and after a minute and a half. */
  do<T = unknown>(what: string, more?: Record<string, unknown>): Promise<T>
  /** Lets it end what it began. */
  close(): Promise<void>
}

const PATIENCE_MS = 150_000

export function actorOn(lab: Lab, host: Host): Actor {
  const child = lab.start(host, process.execPath, [
    '--disable-warning=ExperimentalWarning',
    fileURLToPath(new URL('actor.ts', import.meta.url)),
  ])
  const waiting = new Map<number, (answer: { got?: unknown; failed?: string }) => void>()
  let last = 0
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const answer = JSON.parse(line) as { id: number; got?: unknown; failed?: string }
    waiting.get(answer.id)?.(answer)
  })
  child.once('exit', (code) => {
    for (const answer of waiting.values()) answer({ failed: `the actor ended with ${code}` })
  })
  return {
    async do(what, more = {}) {
      const id = ++last
      const answer = await new Promise<{ got?: unknown; failed?: string }>((done) => {
        const timer = setTimeout(() => done({ failed: `nothing within ${PATIENCE_MS} ms` }), PATIENCE_MS)
        waiting.set(id, (got) => {
          clearTimeout(timer)
          done(got)
        })
        child.stdin?.write(`${JSON.stringify({ id, do: what, ...more })}\n`)
      })
      waiting.delete(id)
      if (answer.failed !== undefined) throw new Error(`${what} on ${host}: ${answer.failed}`)
      return answer.got as never
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.stdin?.end()
      await once(child, 'exit')
    },
  }
}
