/**
 * The process that makes the load: callers and the answering carrier, told what to do by `load-process.ts`. A process of
 * its own, so that its CPU time is nobody else's and its clock stands close to its sockets.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { authorize } from '@tandem/sip/auth/digest.ts'
import { makeRequest } from '@tandem/sip/message/make.ts'
import type { SipResponse } from '@tandem/sip/message/message.ts'
import { parseDatagram } from '@tandem/sip/message/parse.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { CallCarrier } from './call-carrier.ts'
import { type Caller, CallLoad, type LoadResult, type LoadSettings } from './call-load.ts'
import { takeOrders } from './driver-process.ts'
import { benchNumber } from './numbers.ts'
import { RegisterLoad, type RegisterResult, type RegisterSettings } from './register-load.ts'

/** Asked by the parent; the answer carries the same `id`. */
export type LoadOrder =
  | { kind: 'open'; users: string[] }
  | { kind: 'register'; target: string; domain: string; password: string }
  | ({ kind: 'run' } & LoadSettings)
  /** The run that is under way makes no more calls. */
  | { kind: 'enough' }
  | ({ kind: 'registrations' } & RegisterSettings)
export type LoadAnswer = { carrierPort: number } | { registered: number } | true | LoadResult | RegisterResult

const SOCKET_BUFFER = 1 << 20
const REGISTER_WITHIN_MS = 10_000

const callers: Caller[] = []
let carrier: CallCarrier | undefined
let running: CallLoad | undefined
let hear: (response: SipResponse, caller: Caller) => void = () => {}

async function bind(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: SOCKET_BUFFER, sendBufferSize: SOCKET_BUFFER })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

async function open(users: readonly string[]): Promise<{ carrierPort: number }> {
  for (const user of users) {
    const socket = await bind()
    const caller: Caller = { user, socket, port: socket.address().port }
    callers.push(caller)
    socket.on('message', (bytes) => {
      const outcome = parseDatagram(bytes)
      if (outcome.kind === 'message' && outcome.message.kind === 'response') hear(outcome.message, caller)
    })
  }
  const socket = await bind()
  carrier = new CallCarrier(socket)
  socket.on('message', (bytes, from) => {
    const outcome = parseDatagram(bytes)
    if (outcome.kind === 'message' && outcome.message.kind === 'request') {
      carrier?.receive(outcome.message, from.address, from.port)
    }
  })
  return { carrierPort: socket.address().port }
}

/** One after the other: each is challenged and answers, and from then on the flow is the user's. */
async function registerAll(target: string, domain: string, password: string): Promise<{ registered: number }> {
  for (const caller of callers) await register(caller, target, domain, password)
  return { registered: callers.length }
}

async function register(caller: Caller, target: string, domain: string, password: string): Promise<void> {
  const [host, port] = target.split(':') as [string, string]
  const uri = `sip:${domain}`
  const aor = `<sip:${caller.user}@${domain}>`
  const id = randomBytes(8).toString('hex')
  const ask = async (seq: number, headers: [string, string][]) => {
    const request = makeRequest({
      method: 'REGISTER',
      uri,
      via: `SIP/2.0/UDP 127.0.0.1:${caller.port};branch=z9hG4bK${id}${seq};rport`,
      from: `${aor};tag=${id}`,
      to: aor,
      callId: `${id}@127.0.0.1`,
      cseq: seq,
      contact: `<sip:${caller.user}@127.0.0.1:${caller.port}>`,
      headers: [['Expires', '3600'], ...headers],
    })
    caller.socket.send(writeMessage(request), Number(port), host)
    return await answerTo(caller)
  }
  const first = await ask(1, [])
  const authorization = authorize({
    challenges: first.headers.getAll('www-authenticate'),
    username: caller.user,
    secret: { password },
    method: 'REGISTER',
    uri,
    cnonce: id,
  })
  const last = authorization === undefined ? first : await ask(2, [['Authorization', authorization]])
  if (last.status !== 200) throw new Error(`REGISTER of ${caller.user} got ${last.status} ${last.reason}`)
}

function answerTo(caller: Caller): Promise<SipResponse> {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`REGISTER of ${caller.user} got no answer`)), REGISTER_WITHIN_MS)
    hear = (response, who) => {
      if (who !== caller || response.status < 200) return
      clearTimeout(late)
      done(response)
    }
  })
}

async function run(settings: LoadSettings): Promise<LoadResult> {
  const { dial } = settings
  const load = new CallLoad(settings, callers, () => dial ?? `9${benchNumber(Math.random())}`)
  running = load
  hear = (response) => load.receive(response)
  return await load.run()
}

async function runRegistrations(settings: RegisterSettings): Promise<RegisterResult> {
  const load = new RegisterLoad(settings, callers)
  hear = (response) => load.receive(response)
  return await load.run()
}

async function obey(order: LoadOrder): Promise<LoadAnswer> {
  switch (order.kind) {
    case 'open':
      return await open(order.users)
    case 'register':
      return await registerAll(order.target, order.domain, order.password)
    case 'run':
      return await run(order)
    case 'enough':
      running?.enough()
      return true
    case 'registrations':
      return await runRegistrations(order)
  }
}

takeOrders(obey)
