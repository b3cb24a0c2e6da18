/**
 * The control protocol of rtpengine ("ng"): a cookie, a space and a dictionary in JSON, one datagram each way. The same
 * cookie again is a retransmission, which rtpengine answers again without doing it twice.
 *
 * Each rtpengine has one connected socket, so that a port that nobody listens on is known at once (ICMP). Who does not
 * answer is left out of new calls until a ping is answered.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import type { Logger } from '@tandem/observability/log.ts'

/** ms. */
const PING_MS = 2000

export type NgCommand = { readonly command: string; readonly [key: string]: unknown }
export type NgAnswer = { readonly result: string; readonly [key: string]: unknown }

/** ms between the tries, and after the last one until we give up. */
export type Patience = readonly number[]
const PING_PATIENCE: Patience = [300, 700]

export interface NgNode {
  /** As in the configuration: udp://127.0.0.1:22222. */
  readonly url: string
  /** It answered last time, or was not asked yet. */
  readonly up: boolean
  /** `done` hears undefined when it is not there. What it refuses is an answer, too. */
  ask(command: NgCommand, patience: Patience, done: (answer: NgAnswer | undefined) => void): void
}

export interface NgControl {
  /** Those that are up, each time another one first: calls are spread. */
  inTurn(): readonly NgNode[]
  close(): Promise<void>
}

export function openNgControl(urls: readonly string[], log: Logger): NgControl {
  const nodes = urls.map((url) => new Node(url, log))
  let turn = 0
  return {
    inTurn() {
      const up = nodes.filter((node) => node.up)
      const first = up.length === 0 ? 0 : turn++ % up.length
      return [...up.slice(first), ...up.slice(0, first)]
    },
    async close() {
      await Promise.all(nodes.map((node) => node.close()))
    },
  }
}

interface Waiting {
  readonly text: string
  readonly done: (answer: NgAnswer | undefined) => void
  readonly patience: Patience
  tries: number
  timer: NodeJS.Timeout | undefined
}

class Node implements NgNode {
  readonly url: string
  up = true
  readonly #log: Logger
  readonly #socket: Socket
  readonly #waiting = new Map<string, Waiting>()
  readonly #salt = randomBytes(6).toString('base64url')
  readonly #ping: NodeJS.Timeout
  #connected = false
  #count = 0
  #closed = false

  constructor(url: string, log: Logger) {
    this.url = url
    this.#log = log
    const { hostname, port } = new URL(url)
    const host = hostname.replace(/^\[|\]$/g, '')
    this.#socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    this.#socket.on('message', (bytes) => this.#received(bytes.toString('utf8')))
    this.#socket.on('error', (error) => this.#failed(error.message))
    this.#socket.on('connect', () => {
      this.#connected = true
      for (const { text } of this.#waiting.values()) this.#socket.send(text)
    })
    this.#socket.connect(Number(port), host)
    this.#ping = setInterval(() => this.#pinged(), PING_MS)
    this.#pinged()
  }

  ask(command: NgCommand, patience: Patience, done: Waiting['done']): void {
    if (this.#closed) return void done(undefined)
    const cookie = `${this.#salt}-${++this.#count}`
    const waiting: Waiting = {
      text: `${cookie} ${JSON.stringify(command)}`,
      done,
      patience,
      tries: 0,
      timer: undefined,
    }
    this.#waiting.set(cookie, waiting)
    this.#try(cookie, waiting)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#ping)
    this.#giveUpAll()
    await new Promise<void>((done) => this.#socket.close(() => done()))
  }

  #try(cookie: string, waiting: Waiting): void {
    const pause = waiting.patience[waiting.tries]
    waiting.tries++
    if (pause === undefined) {
      this.#waiting.delete(cookie)
      this.#isUp(false, 'no answer')
      return void waiting.done(undefined)
    }
    if (this.#connected) this.#socket.send(waiting.text)
    waiting.timer = setTimeout(() => this.#try(cookie, waiting), pause)
  }

  #received(text: string): void {
    const space = text.indexOf(' ')
    const cookie = text.slice(0, space)
    const waiting = this.#waiting.get(cookie)
    if (waiting === undefined) return
    const answer = readAnswer(text.slice(space + 1))
    if (answer === undefined) return
    clearTimeout(waiting.timer)
    this.#waiting.delete(cookie)
    this.#isUp(true, '')
    waiting.done(answer)
  }

  /** Nobody listens there, or its name is not known: nothing that waits will be answered. */
  #failed(why: string): void {
    if (this.#closed) return
    this.#isUp(false, why)
    this.#giveUpAll()
  }

  #giveUpAll(): void {
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { timer, done } of all) {
      clearTimeout(timer)
      done(undefined)
    }
  }

  #isUp(up: boolean, why: string): void {
    if (this.up === up) return
    this.up = up
    if (up) this.#log.info({ rtpengine: this.url }, 'rtpengine answers')
    else this.#log.error({ rtpengine: this.url, why }, 'rtpengine does not answer')
  }

  #pinged(): void {
    this.ask({ command: 'ping' }, PING_PATIENCE, () => {})
  }
}

function readAnswer(text: string): NgAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'result' in value && typeof value.result === 'string'
      ? (value as NgAnswer)
      : undefined
  } catch {
    return undefined
  }
}
