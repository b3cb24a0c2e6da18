/**
 * Sends mutated messages to an edge from a process of its own, by UDP and TCP in turns, no faster than the edge reads:
 * after each handful an OPTIONS on the same way must be answered. Argument: JSON of `Orders`. Prints one line of JSON.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { corpus } from './corpus.ts'
import { mutate, randomFrom } from './mutate.ts'

interface Orders {
  readonly seed: number
  readonly messages: number
  /** The trunk's address: it is never banned, so that everything that it sends is read to its end. */
  readonly from: string
  readonly udpPort: number
  readonly tcpPort: number
}

/** Fits into the default receive buffer of a UDP socket. */
const HANDFUL = 25
/** At once. */
const LANES = ['tcp', 'tcp', 'udp', 'udp', 'udp', 'udp'] as const
const PATIENCE_MS = 250
const LAST_WORDS_MS = 5

const orders = JSON.parse(process.argv[2] as string) as Orders
const random = randomFrom(orders.seed)
const seeds = corpus()
const sent = { udp: 0, tcp: 0, pingsLost: 0, slowestPingMs: 0 }
let pings = 0

function ping(transport: string): { text: string; id: string } {
  const id = `ping-${orders.seed}-${++pings}`
  const text = [
    'OPTIONS sip:127.0.0.1 SIP/2.0',
    `Via: SIP/2.0/${transport} ${orders.from}:9;branch=z9hG4bK${id};rport`,
    'Max-Forwards: 70',
    `From: <sip:ping@${orders.from}>;tag=p`,
    'To: <sip:127.0.0.1>',
    `Call-ID: ${id}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
  return { text, id }
}

/** Sends and waits for the 200, again and again for at most a minute. */
async function answered(send: (text: string) => void, transport: string, heard: (id: string) => Promise<boolean>) {
  const began = performance.now()
  while (performance.now() - began < 60_000) {
    const { text, id } = ping(transport)
    send(text)
    if (await heard(id)) {
      sent.slowestPingMs = Math.max(sent.slowestPingMs, performance.now() - began)
      return
    }
    sent.pingsLost++
  }
  throw new Error(`no answer to an OPTIONS by ${transport} for a minute`)
}

async function byUdp(socket: UdpSocket): Promise<void> {
  for (let i = 0; i < HANDFUL; i++) socket.send(mutate(seeds, random), orders.udpPort, '127.0.0.1')
  sent.udp += HANDFUL
  await answered(
    (text) => socket.send(text, orders.udpPort, '127.0.0.1'),
    'UDP',
    (id) =>
      new Promise((done) => {
        const look = (bytes: Buffer) => {
          if (!(bytes.subarray(0, 11).toString('latin1') === 'SIP/2.0 200' && bytes.includes(id))) return
          end(true)
        }
        const end = (found: boolean) => {
          clearTimeout(timer)
          socket.off('message', look)
          done(found)
        }
        const timer = setTimeout(() => end(false), PATIENCE_MS)
        socket.on('message', look)
      }),
  )
}

/** A connection takes what it takes: a broken frame may end it at once. The OPTIONS goes over one of its own. */
async function byTcp(): Promise<void> {
  const socket = connect({ port: orders.tcpPort, host: '127.0.0.1', localAddress: orders.from })
  socket.on('error', () => {})
  socket.resume()
  for (let i = 0; i < HANDFUL; i++) socket.write(mutate(seeds, random))
  sent.tcp += HANDFUL
  socket.end()
  // an edge that waits for the rest of a message answers nothing more: the OPTIONS tells that it has read what came
  await Promise.race([once(socket, 'close'), new Promise((done) => setTimeout(done, LAST_WORDS_MS))])
  socket.destroy()
  let other = connect({ port: orders.tcpPort, host: '127.0.0.1', localAddress: orders.from })
  await answered(
    (text) => {
      if (other.destroyed) other = connect({ port: orders.tcpPort, host: '127.0.0.1', localAddress: orders.from })
      other.on('error', () => {})
      other.write(text)
    },
    'TCP',
    (id) =>
      new Promise((done) => {
        const timer = setTimeout(() => done(false), PATIENCE_MS)
        other.on('data', (bytes: Buffer) => {
          if (!bytes.includes(id)) return
          clearTimeout(timer)
          done(true)
        })
      }),
  )
  other.destroy()
}

/** One handful after the other on one way, until all lanes together have sent enough. */
async function lane(by: 'udp' | 'tcp'): Promise<void> {
  const socket = createSocket('udp4')
  socket.bind(0, orders.from)
  await once(socket, 'listening')
  while (sent.udp + sent.tcp < orders.messages) await (by === 'udp' ? byUdp(socket) : byTcp())
  socket.close()
}

const began = performance.now()
await Promise.all(LANES.map(lane))
console.log(JSON.stringify({ ...sent, seconds: (performance.now() - began) / 1000 }))
