/** Server-sent events with `Last-Event-ID`: a bounded ring of what was sent, and a bounded number of listeners. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from './problem.ts'

export interface EventStream {
  send(event: string, data: unknown): void
  /** Takes the request over and keeps it until either side closes. `first` is sent when nothing can be resumed. */
  attach(request: FastifyRequest, reply: FastifyReply, first: () => { event: string; data: unknown }[]): void
  close(): void
}

const maxListeners = 500
const remembered = 1000
const heartbeatMs = 15_000
/** A listener that reads slower than this is closed; it comes back with its Last-Event-ID. */
const maxBuffered = 1024 * 1024
/** A listener that went comes back sooner than this, or takes the whole picture anew. */
const comesBackMs = 60_000

export function startEventStream(): EventStream {
  // the epoch tells an id of this process from one of an earlier start
  const epoch = Date.now().toString(36)
  let counter = 0
  const ring: { id: number; frame: string }[] = []
  const listeners = new Set<FastifyReply>()
  let wantedUntil = 0
  const gone = (reply: FastifyReply): boolean => {
    wantedUntil = Date.now() + comesBackMs
    return listeners.delete(reply)
  }
  const drop = (reply: FastifyReply): void => {
    if (gone(reply)) reply.raw.end()
  }
  const heartbeat = setInterval(() => {
    for (const reply of listeners) reply.raw.write(': still here\n\n')
  }, heartbeatMs)
  const frameOf = (id: number, event: string, data: unknown): string =>
    `id: ${epoch}-${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
  return {
    send: (event, data) => {
      counter++
      if (listeners.size === 0 && Date.now() > wantedUntil) {
        ring.length = 0
        return
      }
      const frame = frameOf(counter, event, data)
      ring.push({ id: counter, frame })
      if (ring.length > remembered) ring.shift()
      for (const reply of listeners) {
        if (reply.raw.writableLength > maxBuffered) drop(reply)
        else reply.raw.write(frame)
      }
    },
    attach: (request, reply, first) => {
      if (listeners.size >= maxListeners) throw new Problem(503, 'Too many listeners', 'try again later')
      reply.hijack()
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      const [lastEpoch, lastId] = String(request.headers['last-event-id'] ?? '').split('-')
      const resumable = lastEpoch === epoch && ring[0] !== undefined && Number(lastId) >= ring[0].id - 1
      if (resumable) for (const r of ring) if (r.id > Number(lastId)) reply.raw.write(r.frame)
      if (!resumable) for (const f of first()) reply.raw.write(frameOf(counter, f.event, f.data))
      listeners.add(reply)
      reply.raw.on('close', () => gone(reply))
      reply.raw.on('error', () => gone(reply))
    },
    close: () => {
      clearInterval(heartbeat)
      for (const reply of [...listeners]) drop(reply)
    },
  }
}
