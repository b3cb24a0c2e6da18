/** What listeners hand inward. A listener owns its sockets; nothing thrown inside ever reaches one. */
import type { Server } from 'node:net'
import type { Listener } from '@tandem/config/defaults.ts'
import type { ParseOutcome } from '@tandem/sip/message/message.ts'
import type { TlsDemand } from '../domain/tls-demand.ts'
import type { Wire } from '../edge.ts'

export interface Inward {
  /** `message`, `refuse` or `drop`, on the wire it came from; `back`: where responses go, when elsewhere. */
  received(outcome: Extract<ParseOutcome, { kind: 'message' | 'refuse' | 'drop' }>, wire: Wire, back?: Wire): void
  /** Bytes that could not be sent, a connection that is gone: transactions on it have failed. */
  failed(wire: Wire, why: string): void
  /** ICMP: nobody listens at a carrier's address just now. */
  unreachable?(wire: Wire, why: string): void
  /** Asked before anything from a source is read: true when nothing of it counts. */
  ignores?(source: Pick<Wire, 'listener' | 'remoteAddress' | 'remotePort' | 'flow'>): boolean
  /** Every whole message sent or received, for the ladder. */
  seen?(direction: 'received' | 'sent', bytes: Uint8Array, wire: Wire): void
}

/** One open listener of the configuration. */
export interface OpenListener {
  readonly name: string
  readonly transport: Wire['transport']
  readonly address: string
  /** The port really bound (the configuration may say 0). */
  readonly port: number
  readonly url: string
  connections(): number
  /** TLS: certificates are read again; true when one is new. Throws when it cannot be used: the old one stays. */
  renew?(listener: Listener, demand: TlsDemand): boolean
  close(): Promise<void>
}

/** Said when a socket cannot be had: names the listener and what to do. */
export function bindProblem(name: string, url: string, error: NodeJS.ErrnoException): Error {
  const why =
    error.code === 'EADDRINUSE'
      ? 'the port is in use: stop the program that holds it, or change edge.listen'
      : error.code === 'EACCES'
        ? 'not allowed: a port below 1024 needs the right to bind it'
        : error.code === 'EADDRNOTAVAIL'
          ? 'this machine has no such address: change edge.listen'
          : error.message
  return new Error(`listener ${name} (${url}): ${why}`, { cause: error })
}

/** What the listener writes into Via and Contact: the advertised address, else where it is bound. */
export function advertised(
  advertise: string | null,
  address: string,
  port: number,
): { readonly host: string; readonly port: number } {
  if (advertise === null) return { host: address.includes(':') ? `[${address}]` : address, port }
  const parts = /^(.*?)(?::(\d+))?$/.exec(
    advertise.startsWith('[') ? advertise.slice(advertise.indexOf(']') + 1) : advertise,
  )
  if (advertise.startsWith('[')) {
    return { host: advertise.slice(0, advertise.indexOf(']') + 1), port: parts?.[2] ? Number(parts[2]) : port }
  }
  return { host: parts?.[1] ?? advertise, port: parts?.[2] ? Number(parts[2]) : port }
}

/** Resolves with the port really bound. */
export function listen(server: Server, listener: Listener): Promise<number> {
  return new Promise((done, fail) => {
    const refused = (error: NodeJS.ErrnoException) => fail(bindProblem(listener.name, listener.url, error))
    server.once('error', refused)
    server.listen({ host: listener.address, port: listener.port, exclusive: true, backlog: 1024 }, () => {
      server.off('error', refused)
      const bound = server.address()
      done(typeof bound === 'object' && bound !== null ? bound.port : listener.port)
    })
  })
}
