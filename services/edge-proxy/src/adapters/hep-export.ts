/**
 * Captured messages to a collector (Homer) by HEP3 over one UDP socket, beside the ladder and after it: nothing waits for
 * the collector, what it or the socket does not take is lost and counted.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'
import type { Capture } from '@tandem/config/defaults.ts'
import { type Environment, resolveSecret } from '@tandem/config/secrets.ts'
import type { CapturedMessage } from '@tandem/contracts/call.ts'
import type { Logger } from '@tandem/observability/log.ts'
import { type HepAgent, hepPacket } from '../domain/hep.ts'
import type { Clock, Timer } from '../edge.ts'
import { createNameResolver } from './name-resolver.ts'

/** Bytes that may wait in the socket; more are lost, and counted. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024
/** A name that was not found is asked for again after that, ms. */
const AGAIN_MS = 30_000

interface Target {
  readonly agent: HepAgent
  readonly socket: Socket
}

export interface HepExport {
  /** Takes a revision of `edge.capture` over; the name is looked up now and not again until the next. */
  configured(capture: Capture | null, nameServers: readonly string[]): void
  /** `us`: µs since 1970. Never throws, never waits. */
  send(message: CapturedMessage, us: number): void
  /** Messages that did not leave, or that a collector who is not there refused (ICMP). */
  lost(): number
  close(): void
}

export function createHepExport(parts: {
  env: Environment
  log: Logger
  clock: Pick<Clock, 'now' | 'setTimer' | 'clearTimer'>
}): HepExport {
  const { env, log, clock } = parts
  const names = createNameResolver(clock)
  let wanted: Capture | null = null
  let target: Target | undefined
  /** Counts revisions: what an older one began is thrown away. */
  let turn = 0
  let again: Timer | undefined
  let lost = 0

  const use = (next: Target | undefined) => {
    target?.socket.close()
    target = next
  }

  const open = async (capture: Capture, mine: number) => {
    const authKey = secretOf(capture)
    const address = isIP(capture.host) ? capture.host : await lookUp(capture.host)
    if (mine !== turn) return
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4')
    socket.unref()
    try {
      await connected(socket, capture.port, address)
    } catch (error) {
      socket.close()
      throw error
    }
    // a collector that is not there: ICMP, told of an earlier packet
    socket.on('error', () => lost++)
    if (mine !== turn) socket.close()
    else use({ agent: { id: capture.id, authKey }, socket })
  }

  const lookUp = async (host: string): Promise<string> => {
    const four = await names.addresses(host, 4)
    const [address] = four.length > 0 ? four : await names.addresses(host, 6)
    if (address === undefined) throw new Error(`DNS has no address of ${host}`)
    return address
  }

  const secretOf = ({ password }: Capture): string | undefined => {
    if (password === null) return undefined
    const found = resolveSecret(password, env)
    if (found.kind === 'missing') throw new Error(`edge.capture.password: ${found.message}`)
    return found.value
  }

  const begin = () => {
    const capture = wanted
    const mine = ++turn
    if (again) clock.clearTimer(again)
    again = undefined
    if (capture === null) return use(undefined)
    open(capture, mine).catch((error: unknown) => {
      if (mine !== turn) return
      log.error({ err: error }, 'captured messages cannot be exported')
      again = clock.setTimer(AGAIN_MS, begin)
    })
  }

  return {
    configured(capture, nameServers) {
      wanted = capture
      names.use(nameServers)
      begin()
    },
    send(message, us) {
      if (wanted === null) return
      if (target === undefined || target.socket.getSendQueueSize() > MAX_WAITING_BYTES) {
        lost++
        return
      }
      target.socket.send(hepPacket(message, us, target.agent), (error) => {
        if (error) lost++
      })
    },
    lost: () => lost,
    close() {
      wanted = null
      begin()
      names.close()
    },
  }
}

/** Rejects when the machine has no way there. */
async function connected(socket: Socket, port: number, address: string): Promise<void> {
  const done = once(socket, 'connect')
  socket.connect(port, address)
  await done
}
