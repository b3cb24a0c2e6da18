/** Carriers for tests of trunks: they answer OPTIONS and REGISTER, and remember what they got and from where. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { challenge, verify } from '@tandem/sip/auth/digest.ts'
import { makeResponse } from '@tandem/sip/message/make.ts'
import type { SipMessage, SipRequest } from '@tandem/sip/message/message.ts'
import { parseDatagram } from '@tandem/sip/message/parse.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'

export interface Got {
  readonly request: SipRequest
  readonly from: RemoteInfo
  /** Reply as often as wanted. */
  reply(status: number, headers?: [string, string][]): void
}

export interface CarrierSide {
  readonly port: number
  readonly address: string
  readonly socket: Socket
  /** Requests, as they came. */
  readonly got: readonly Got[]
  /** Datagrams that were no message. */
  readonly other: readonly { bytes: Buffer; from: RemoteInfo }[]
  of(method: string): Got[]
  /** What to do with a request; undefined: silence. */
  serve: (got: Got) => void
  send(message: SipMessage | Buffer, port: number, address?: string): void
  close(): void
}

export async function carrierSide(
  serve: (got: Got) => void = ok,
  address = '127.0.0.1',
  port = 0,
): Promise<CarrierSide> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.bind(port, address)
  await once(socket, 'listening')
  const got: Got[] = []
  const other: { bytes: Buffer; from: RemoteInfo }[] = []
  const side: CarrierSide = {
    port: socket.address().port,
    address,
    socket,
    got,
    other,
    of: (method) => got.filter((g) => g.request.method === method),
    serve,
    send(message, to, at = '127.0.0.1') {
      socket.send(Buffer.isBuffer(message) ? message : writeMessage(message), to, at)
    },
    close: () => socket.close(),
  }
  let tag = 0
  socket.on('message', (bytes, from) => {
    const outcome = parseDatagram(bytes)
    if (outcome.kind !== 'message') return void other.push({ bytes, from })
    const { message } = outcome
    if (message.kind !== 'request') return
    const one: Got = {
      request: message,
      from,
      reply(status, headers = []) {
        const response = makeResponse(message, status, { toTag: `t${++tag}`, headers })
        socket.send(writeMessage(response), from.port, from.address)
      },
    }
    got.push(one)
    side.serve(one)
  })
  return side
}

/** Any final response proves reachability; nothing else is said. */
export function ok(got: Got): void {
  if (got.request.method !== 'ACK') got.reply(200)
}

export interface RegistrarParts {
  readonly password: string
  /** What is granted, s; undefined: what was asked for. */
  readonly grantS?: number
  /** Further fields of the 200. */
  readonly headers?: (request: SipRequest) => [string, string][]
  /** Contact values of the 200; default: the one that came. */
  readonly contacts?: (request: SipRequest, seconds: number) => string[]
}

/** A registrar with digest; the other methods are answered by `ok`. */
export function registrar(parts: RegistrarParts): (got: Got) => void {
  return (got) => {
    const { request } = got
    if (request.method !== 'REGISTER') return ok(got)
    const authorization = request.headers.get('authorization')
    const proof =
      authorization &&
      verify({
        authorization,
        method: 'REGISTER',
        realm: 'itsp.example',
        secret: { password: parts.password },
        checkNonce: () => 'fresh',
      }).kind
    if (proof !== 'ok') {
      const asked = challenge({ realm: 'itsp.example', nonce: 'fresh', algorithms: ['SHA-256', 'MD5'] })
      return got.reply(
        401,
        asked.map((c) => ['WWW-Authenticate', c]),
      )
    }
    const asked = Number(request.headers.get('expires'))
    const seconds = asked === 0 ? 0 : (parts.grantS ?? asked)
    const contact = (request.headers.get('contact') ?? '').replace(/;expires=\d+/, '')
    const values = parts.contacts?.(request, seconds) ?? (seconds === 0 ? [] : [`${contact};expires=${seconds}`])
    got.reply(200, [...values.map((v): [string, string] => ['Contact', v]), ...(parts.headers?.(request) ?? [])])
  }
}

/** Waits for a condition, generously: 15 s. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 750 && !holds(); i++) await new Promise((done) => setTimeout(done, 20))
  if (!holds()) throw new Error(`not in 15 s: ${what}`)
}
