/** A real edge with a carrier behind it, and sockets that hand it messages octet by octet as an RFC prints them. */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { ackInDialog, dialogOfUac, requestInDialog } from '@tandem/sip/dialog/dialog.ts'
import { makeAck, makeRequest } from '@tandem/sip/message/make.ts'
import type { SipRequest, SipResponse } from '@tandem/sip/message/message.ts'
import { parseDatagram, parseStream } from '@tandem/sip/message/parse.ts'
import { writeMessage } from '@tandem/sip/message/write.ts'
import { type CallEdge, plan, startCallEdge, toTrunk } from '../../services/edge-proxy/test/call-edge.ts'
import { withCredentials } from '../../services/edge-proxy/test/raw-peer.ts'
import { testConfiguration } from '../../services/edge-proxy/test/start-edge.ts'

export type Transport = 'UDP' | 'TCP'

/** A response as text: those to malformed requests repeat what is malformed. */
export interface Heard {
  readonly status: number
  readonly reason: string
  readonly text: string
}

export interface RunningEdge {
  readonly house: CallEdge
  /**
   * Sends the octets from a socket of its own and gives the final response: `nothing` when the edge answered what came
   * after them but not them. A call that comes of it is acknowledged and hung up. `as`: a challenge is answered too.
   */
  tell(octets: Uint8Array, as?: string): Promise<Heard | 'nothing'>
  /** Over a stream: what was sent stays without an answer and the edge waits for the rest of it. */
  begin(octets: Uint8Array): Promise<Socket>
  /** Answers an OPTIONS on another socket. */
  alive(): Promise<boolean>
  close(): Promise<void>
}

export interface Socket {
  readonly via: string
  send(octets: Uint8Array): void
  /** The first final response that fits; rejects after 10 s. */
  next(fits: (heard: Heard) => boolean): Promise<Heard>
  /** Everything that came. */
  text(): string
  close(): void
}

const WAIT_MS = 10_000
const PASSWORD = 'torture'

/**
 * The sender is a trunk on the carriers' listeners; REGISTER, SUBSCRIBE and MESSAGE go to the phones' listeners.
 *
 * @param address 127.0.0.1 or ::1
 * @param users who may register
 */
export async function startRunningEdge(
  transport: Transport,
  address = '127.0.0.1',
  users: readonly string[] = [],
): Promise<RunningEdge> {
  const house = await startHouse(address, users)
  const edge = house.edge.core.edge
  const told = new Set<string>()

  const open = (octets: Uint8Array): Promise<Socket> => {
    const method = Buffer.from(octets).toString('latin1').split(' ', 1)[0] ?? ''
    const name = ['REGISTER', 'SUBSCRIBE', 'MESSAGE'].includes(method) ? 'phones' : 'carrier'
    const port = house.edge.port(transport === 'TCP' ? `${name}-tcp` : name)
    return transport === 'UDP' ? datagrams(address, port) : stream(address, port)
  }
  // Some messages of an RFC share branch, Call-ID and CSeq: they are retransmissions of each other until timer J.
  const notBefore = async (octets: Uint8Array) => {
    const key = transactionOf(octets)
    if (key.some((k) => told.has(k))) {
      await until(() => edge.transactions.serverCount === 0)
      told.clear()
    }
    for (const k of key) told.add(k)
  }
  return {
    house,
    async tell(octets, as) {
      await notBefore(octets)
      const socket = await open(octets)
      try {
        return await converse(socket, octets, as)
      } finally {
        socket.close()
      }
    },
    async begin(octets) {
      const socket = await open(octets)
      socket.send(octets)
      return socket
    },
    async alive() {
      const probe = Buffer.from('OPTIONS ')
      const socket = await open(probe)
      socket.send(writeMessage(optionsFrom(socket.via)))
      const { status } = await socket.next(() => true).finally(() => socket.close())
      return status === 200
    },
    close: () => house.close(),
  }
}

async function startHouse(address: string, users: readonly string[]): Promise<CallEdge> {
  const host = address.includes(':') ? `[${address}]` : address
  const base = testConfiguration()
  const account = (n: number) => ({
    did: `+1425555200${n}`,
    site: 'hq',
    policy: 'staff',
    password: { env: 'TORTURE_PASSWORD' },
  })
  const house = await startCallEdge({
    // timer J, 64*T1, is waited for where messages repeat each other
    times: { t1: 20 },
    edge: {
      listen: {
        ...base.edge.listen,
        carrier: { url: `udp://${host}:0` },
        'carrier-tcp': { url: `tcp://${host}:0` },
        phones: { url: `udp://${host}:0`, digest: ['sha-256', 'md5'] },
        'phones-tcp': { url: `tcp://${host}:0`, digest: ['sha-256', 'md5'] },
        'carrier-a': { url: 'udp://127.0.0.1:0' },
      },
    },
    trunks: { 'itsp-a': { listener: 'carrier-a' }, 'itsp-b': { to: [`sip:${host}:9`], from: [address] } },
    document: {
      domain: 'example.com',
      users: { ...base.users, ...Object.fromEntries(users.map((name, i) => [name, account(i)])) },
    },
    env: { TORTURE_PASSWORD: PASSWORD },
  })
  house.route(() => plan([toTrunk('itsp-a', '12065550100')]))
  return house
}

async function converse(socket: Socket, octets: Uint8Array, as: string | undefined): Promise<Heard | 'nothing'> {
  const probe = optionsFrom(socket.via)
  const isProbe = ({ text }: Heard) => text.includes(`Call-ID: ${probe.headers.get('call-id')}`)
  socket.send(octets)
  // datagrams and streams are taken in order: once this is answered, what came before it was let pass
  socket.send(writeMessage(probe))
  const first = await socket.next(() => true)
  const read = parseDatagram(octets)
  const sent = read.kind === 'message' && read.message.kind === 'request' ? read.message : undefined
  const waits = sent?.method === 'INVITE'
  if (isProbe(first) && !waits) return 'nothing'
  const answer = isProbe(first) ? await socket.next((heard) => !isProbe(heard)) : first
  if (sent === undefined) return answer
  if (as !== undefined && (answer.status === 401 || answer.status === 407))
    return await withPassword(socket, sent, answer, as)
  if (waits) await finish(socket, sent, responseOf(answer))
  return answer
}

async function withPassword(socket: Socket, sent: SipRequest, challenge: Heard, user: string): Promise<Heard> {
  const again = withCredentials(sent, responseOf(challenge), { user, password: PASSWORD })
  again.headers.prepend('Via', socket.via)
  again.headers.set('Call-ID', randomBytes(8).toString('hex'))
  const cseq = again.headers.get('cseq') ?? ''
  socket.send(writeMessage(again))
  return await socket.next(({ text }) => text.includes(`CSeq: ${cseq}`))
}

/** RFC 3261 13.2.2.4 and 17.1.1.3: every final response is acknowledged; a call is hung up at once. */
async function finish(socket: Socket, invite: SipRequest, response: SipResponse): Promise<void> {
  if (response.status >= 300) return void socket.send(writeMessage(makeAck(invite, response)))
  const dialog = dialogOfUac(invite, response)
  if (dialog === undefined) throw new Error('the 2xx makes no dialog')
  const ack = ackInDialog(dialog, invite)
  ack.headers.prepend('Via', socket.via)
  socket.send(writeMessage(ack))
  const bye = requestInDialog(dialog, { method: 'BYE' })[1]
  bye.headers.prepend('Via', socket.via)
  socket.send(writeMessage(bye))
  const { status } = await socket.next(({ text }) => text.includes(`${bye.headers.get('cseq')}`))
  if (status !== 200) throw new Error(`the BYE of the call got ${status}`)
}

function responseOf({ text }: Heard): SipResponse {
  const read = parseDatagram(Buffer.from(text, 'latin1'))
  if (read.kind !== 'message' || read.message.kind !== 'response') throw new Error(`no response: ${text}`)
  return read.message
}

function optionsFrom(via: string): SipRequest {
  return makeRequest({
    method: 'OPTIONS',
    uri: 'sip:example.com',
    via,
    from: '<sip:probe@example.com>;tag=p',
    to: '<sip:example.com>',
    callId: `probe-${randomBytes(8).toString('hex')}`,
    cseq: 1,
  })
}

/** What makes two requests one to the edge: RFC 3261 17.2.3, 8.2.2.2. */
function transactionOf(octets: Uint8Array): string[] {
  const read = parseDatagram(octets)
  if (read.kind !== 'message' || read.message.kind !== 'request') return []
  const { headers, method } = read.message
  return [`${method} ${headers.get('via')}`, `${headers.get('from')} ${headers.get('call-id')} ${headers.get('cseq')}`]
}

async function datagrams(address: string, port: number): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  const inbox = responses()
  socket.on('message', (bytes) => inbox.take(bytes))
  return {
    via: viaOf('UDP', address, socket.address().port),
    send: (octets) => socket.send(octets, port, address),
    next: inbox.next,
    text: inbox.text,
    close: () => socket.close(),
  }
}

async function stream(address: string, port: number): Promise<Socket> {
  const socket = connect({ port, host: address })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const inbox = responses()
  let rest = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const outcome = rest.length === 0 ? undefined : parseStream(rest)
      // a response that repeats a malformed header is framed all the same
      if (outcome === undefined || outcome.kind === 'more' || outcome.kind === 'close') break
      inbox.take(rest.subarray(0, outcome.length))
      rest = rest.subarray(outcome.length)
    }
  })
  return {
    via: viaOf('TCP', address, socket.localPort as number),
    send: (octets) => void socket.write(octets),
    next: inbox.next,
    text: inbox.text,
    close: () => socket.destroy(),
  }
}

function viaOf(transport: Transport, address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address
  return `SIP/2.0/${transport} ${host}:${port};branch=z9hG4bK${randomBytes(8).toString('hex')};rport`
}

function responses() {
  const heard: Heard[] = []
  const waiting = new Set<() => void>()
  let all = ''
  return {
    take(bytes: Buffer) {
      const text = bytes.toString('latin1')
      all += text
      const [, status, reason] = /^SIP\/2\.0 (\d{3}) (.*)\r\n/.exec(text) ?? []
      if (status === undefined || Number(status) < 200) return
      heard.push({ status: Number(status), reason: reason ?? '', text })
      for (const look of waiting) look()
    },
    next(fits: (h: Heard) => boolean): Promise<Heard> {
      return new Promise((done, fail) => {
        const look = () => {
          const at = heard.findIndex(fits)
          if (at < 0) return
          end()
          done(heard.splice(at, 1)[0] as Heard)
        }
        const limit = setTimeout(() => {
          end()
          fail(new Error(`no answer in ${WAIT_MS} ms; there was: ${all}`))
        }, WAIT_MS)
        const end = () => {
          clearTimeout(limit)
          waiting.delete(look)
        }
        waiting.add(look)
        look()
      })
    },
    text: () => all,
  }
}

async function until(holds: () => boolean): Promise<void> {
  const limit = performance.now() + WAIT_MS
  while (!holds()) {
    if (performance.now() > limit) throw new Error('transactions of the edge do not end')
    await new Promise((done) => setTimeout(done, 20))
  }
}
